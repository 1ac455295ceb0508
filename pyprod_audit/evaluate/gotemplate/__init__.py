"""Go's text/template with the functions of Sprig and Helm, run without Go: what a chart's templates amount to."""
