"""The people of a tenant and what holds for them: members, invitations, limits, tokens, sign-in, audit log."""
