"""What the app must remember: keys, the budget ledger, the audit log."""
