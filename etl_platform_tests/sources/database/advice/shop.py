"""A small shop, and queries on it that an index would help or not, in words of every dialect."""

from __future__ import annotations

from collections.abc import Iterator

TABLES = (
    "CREATE TABLE countries (id integer PRIMARY KEY, name varchar(40))",
    "CREATE TABLE customers (id integer PRIMARY KEY, email varchar(40), city varchar(40))",
    (
        "CREATE TABLE orders (id integer PRIMARY KEY, customer_id integer, placed_on varchar(10), "
        "status varchar(10), total integer, note varchar(40))"
    ),
    (
        "CREATE TABLE items (order_id integer, line integer, product_id integer, quantity integer, "
        "price integer, PRIMARY KEY (order_id, line))"
    ),
    "CREATE INDEX customers_city ON customers (city)",
)
CUSTOMERS, ORDERS, LINES = 2_000, 6_000, 3

_EITHER = (
    "SELECT 1 FROM orders WHERE customer_id = 1 UNION ALL SELECT 2 FROM items WHERE product_id = 4"
)
HELPED = {
    "SELECT * FROM orders WHERE customer_id = 17": {"orders"},
    "SELECT id FROM customers WHERE email = 'u77@example.org'": {"customers"},
    "SELECT sum(price) FROM items WHERE product_id = 33": {"items"},
    "SELECT sum(i.price) FROM items i JOIN orders o ON o.id = i.order_id WHERE o.customer_id = 5": {
        "orders"
    },
    "SELECT * FROM orders WHERE placed_on BETWEEN '2024-03-01' AND '2024-03-02'": {"orders"},
    "SELECT * FROM orders ORDER BY total DESC LIMIT 5": {"orders"},
    "SELECT * FROM orders WHERE status = 'lost'": {"orders"},
    "SELECT id FROM orders WHERE note IS NOT NULL AND note = 'gift 7'": {"orders"},
    "SELECT * FROM orders WHERE customer_id IN (3, 4) AND total > 100": {"orders"},
    "WITH mine AS (SELECT id FROM orders WHERE customer_id = 9) "
    "SELECT count(*) FROM items WHERE order_id IN (SELECT id FROM mine)": {"orders"},
    "SELECT 1 FROM orders WHERE customer_id = 1 "
    "UNION ALL SELECT 2 FROM items WHERE product_id = 4": {
        "orders",
        "items",
    },
    "SELECT c.city FROM customers c JOIN orders o ON o.customer_id = c.id "
    "WHERE c.email = 'u5@example.org'": {"customers", "orders"},
}
NOT_HELPED = (
    "SELECT * FROM orders WHERE id = 7",
    "SELECT * FROM items WHERE order_id = 7 AND line = 1",
    "SELECT * FROM countries WHERE name = 'c3'",
    "SELECT * FROM orders WHERE status = 'done'",
    "SELECT * FROM items WHERE quantity > 0",
    "SELECT * FROM customers WHERE city = 'city 3'",
    "SELECT sum(total) FROM orders",
    "SELECT status, count(*) FROM orders WHERE total >= 0 GROUP BY status",
    "SELECT * FROM items JOIN orders ON orders.id = items.order_id",
)


def rows() -> Iterator[tuple[str, list[tuple[object, ...]]]]:
    """The rows of each table, the same every time."""
    yield "countries", [(n, f"c{n}") for n in range(25)]
    yield (
        "customers",
        [(n, f"u{n * 7919 % CUSTOMERS}@example.org", f"city {n % 40}") for n in range(CUSTOMERS)],
    )
    yield "orders", [_order(n) for n in range(ORDERS)]
    yield (
        "items",
        [
            (n, line, (n * 31 + line * 977) % 4_000, 1 + n % 5, 100 + (n * 7919 + line) % 900)
            for n in range(ORDERS)
            for line in range(LINES)
        ],
    )


def _order(n: int) -> tuple[object, ...]:
    scattered = n * 7919 % ORDERS
    day = f"2024-{1 + scattered % 12:02}-{1 + scattered // 12 % 28:02}"
    status = "lost" if scattered % 400 == 0 else "done"
    note = f"gift {scattered}" if scattered % 50 == 7 else None
    return n, scattered % CUSTOMERS, day, status, n * 104_729 % 50_000, note
