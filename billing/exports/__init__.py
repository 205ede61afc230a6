"""Costs as files: which lines of the books (`selection`), read in one state of them (`snapshots`), written as a format (`files`)
by a job that may die anywhere (`jobs`). `month` is the one file that has estimates: the month as its page shows it.
"""
