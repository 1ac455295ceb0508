"""`python -m pyprod_audit`."""

from pyprod_audit.cli import main

if __name__ == "__main__":
    main()
