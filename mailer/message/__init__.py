"""The nouns of mail, pure: addresses, envelope, recipients, replies, outcomes, queue ids."""
