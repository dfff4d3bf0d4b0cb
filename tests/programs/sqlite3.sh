#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# SQLite in memory: a million rows, two indexes, joins and aggregates, then a dump.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

case_name=sqlite3
case_needs=sqlite3:sqlite3

# The rows come from a recursive query and integer arithmetic alone.
case_prepare() {
	local rows=$((quick ? 100000 : 1000000))
	cat >"$work/in/script.sql" <<-SQL
		CREATE TABLE item (id INTEGER PRIMARY KEY, owner INT, price INT, name TEXT,
			note TEXT);
		CREATE TABLE owner (id INTEGER PRIMARY KEY, town INT, name TEXT);
		WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n
			WHERE i < $rows)
		INSERT INTO item SELECT i, i * 7919 % ($rows / 10), i * 104729 % 1000003,
			printf('item %08x of %d', i * 2654435761 % 4294967296, i % 1000),
			printf('%.*c', 20 + i * 31 % 120, char(97 + i % 26)) FROM n;
		INSERT INTO owner SELECT id, id * 31 % 977, 'owner ' || (id * 48271 % 65537)
			FROM item WHERE id <= $rows / 10;
		CREATE INDEX item_owner ON item (owner, price);
		CREATE INDEX item_name ON item (name);
		SELECT count(*), sum(price), min(name), max(name) FROM item;
		SELECT town, count(*), sum(price), avg(length(note)) FROM item
			JOIN owner ON owner.id = item.owner GROUP BY town ORDER BY town;
		SELECT a.id, b.id FROM item a JOIN item b
			ON a.owner = b.owner AND a.price = b.price + 1 ORDER BY a.id, b.id;
		UPDATE item SET price = price + 1, note = note || ' seen' WHERE owner % 5 = 0;
		DELETE FROM item WHERE id % 11 = 0;
		SELECT name, count(*) FROM item GROUP BY substr(name, 1, 8)
			ORDER BY 2 DESC, 1 LIMIT 100;
		.dump
	SQL
}

case_work() {
	step memory sqlite3 -batch :memory: <"$work/in/script.sql" >"$1/out"
	! grep -i '^error\|^parse error' "$1/out"
}

case_main "$@"
