-- What the models need of each contact that has bought, and not whose it is.
SELECT days, first_day, last_day, orders, revenue, first_revenue, margin, valued FROM customers
