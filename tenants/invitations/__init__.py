"""Invitations: how a person whose address somebody knows becomes a member."""
