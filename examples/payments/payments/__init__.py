"""A payment service: customers, orders, charges, refunds and the books behind them."""
