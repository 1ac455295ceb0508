"""What nginx configuration amounts to; `evaluation.evaluate` is the entrance."""
