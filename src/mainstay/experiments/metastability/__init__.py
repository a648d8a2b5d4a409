"""Whether it comes back by itself once the cause is gone."""
