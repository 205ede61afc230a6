"""The books as FOCUS files: the FinOps Open Cost and Usage Specification, versions 1.2 and 1.4."""
