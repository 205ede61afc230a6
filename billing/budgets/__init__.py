"""Budgets: what may be spent, how much of it is, who is told, and what is refused or paused when it is used up."""
