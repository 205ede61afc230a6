"""Giving GPUs back that nobody uses: rules as data, one pure decision, the minute's look, and the release itself."""
