"""What this package calls itself on the wire."""

VERSION = "0.1.0"
IMPLEMENTATION = f"powerhose-python/{VERSION}"
