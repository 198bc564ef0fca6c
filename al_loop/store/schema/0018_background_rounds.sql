-- Rounds that try a deep network while quick ones go on, and what a round says of its candidates.
ALTER TABLE rounds ADD COLUMN background BOOLEAN DEFAULT false;
ALTER TABLE rounds ADD COLUMN choice VARCHAR;       -- which candidate won, by how much, and why these were tried; NULL: before that was known
