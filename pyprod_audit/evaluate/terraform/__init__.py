"""What Terraform and OpenTofu configuration amounts to; `evaluation.evaluate` is the entrance."""
