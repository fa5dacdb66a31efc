"""Access control: restriction lists (smtpd_*_restrictions) as small objects, and the one evaluator that runs them."""
