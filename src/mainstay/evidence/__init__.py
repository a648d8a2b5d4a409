"""From records to claims: bounds, recovery, the ledger's sums, the forecast.  Pure arithmetic."""
