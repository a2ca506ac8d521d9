"""Learning: from what visitors did after a decision to the policy that decides next."""
