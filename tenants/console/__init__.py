"""The operators' console: who may enter Django's admin, with which second factor, and how what they change is recorded."""
