"""The demo tenant: a mid-size lender's loans, trades, pools, prices and policy, generated from a date and a seed."""
