-- Queries are numbered in memory, so that their answer need not wait for the store; see al_loop/store/openings.py.

ALTER TABLE queries ALTER COLUMN query_id DROP DEFAULT;
DROP SEQUENCE query_ids;
