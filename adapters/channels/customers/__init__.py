"""Tools that a shop keeps its customers in: mail and message services, shop systems, customer data platforms."""
