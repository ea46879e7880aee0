-- The metastore of the first release, as SQLite kept it, with a row of each kind.
CREATE TABLE alembic_version (
    version_num VARCHAR(32) NOT NULL,
    CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('0001');
CREATE TABLE audits (
    id INTEGER NOT NULL,
    lake TEXT NOT NULL,
    "table" TEXT NOT NULL,
    version BIGINT,
    run_id TEXT,
    outcomes TEXT NOT NULL,
    audited_at DATETIME NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE profiles (
    id INTEGER NOT NULL,
    lake TEXT NOT NULL,
    "table" TEXT NOT NULL,
    version BIGINT NOT NULL,
    partition TEXT NOT NULL,
    profile TEXT NOT NULL,
    recorded_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT profiles_once UNIQUE (lake, "table", version, partition)
);
CREATE TABLE queries (
    id INTEGER NOT NULL,
    sql TEXT NOT NULL,
    status TEXT NOT NULL,
    rows BIGINT,
    seconds FLOAT NOT NULL,
    tables TEXT NOT NULL,
    error TEXT,
    role TEXT,
    started_at DATETIME NOT NULL,
    PRIMARY KEY (id)
);
CREATE TABLE receipts (
    id INTEGER NOT NULL,
    lake TEXT NOT NULL,
    "table" TEXT NOT NULL,
    version_after BIGINT NOT NULL,
    mode TEXT NOT NULL,
    version_before BIGINT,
    rows_inserted BIGINT NOT NULL,
    rows_updated BIGINT NOT NULL,
    rows_deleted BIGINT NOT NULL,
    rows_total BIGINT NOT NULL,
    size_bytes BIGINT NOT NULL,
    files_added BIGINT NOT NULL,
    files_removed BIGINT NOT NULL,
    seconds FLOAT NOT NULL,
    checksum TEXT,
    batch TEXT,
    run_id TEXT,
    published_at DATETIME NOT NULL,
    PRIMARY KEY (id),
    CONSTRAINT receipts_once UNIQUE (lake, "table", version_after)
);
CREATE INDEX receipts_newest ON receipts ("table", published_at);
CREATE INDEX audits_newest ON audits ("table", id);
CREATE INDEX profiles_newest ON profiles ("table", version);
INSERT INTO receipts VALUES (1, '/srv/lake', 'shop.orders', 0, 'replace', NULL, 3, 0, 0, 3, 574, 1, 0, 0.25, '3:42', 'run-1', 'run-1', '2026-01-02 03:04:05.000000');
INSERT INTO audits VALUES (1, '/srv/lake', 'shop.orders', 0, 'run-1', '[]', '2026-01-02 03:04:05.000000');
INSERT INTO profiles VALUES (1, '/srv/lake', 'shop.orders', 0, '', '{}', '2026-01-02 03:04:05.000000');
INSERT INTO queries VALUES (1, 'SELECT 1', 'ok', 1, 0.5, '[]', NULL, NULL, '2026-01-02 03:04:05.000000');
