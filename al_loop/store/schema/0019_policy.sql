-- Triggers of rounds: since when a policy holds, what started a round, drift of the pool, and what operators are told of.
ALTER TABLE campaigns ADD COLUMN policy_since TIMESTAMP;  -- NULL: before that was recorded
ALTER TABLE rounds ADD COLUMN started_by VARCHAR;         -- a trigger of the policy, 'hand' or 'deep'; NULL: before that was recorded

CREATE TABLE drift_reports (
    campaign_id BIGINT NOT NULL,
    report      JSON NOT NULL       -- one row a campaign at most
);

CREATE SEQUENCE announcement_ids START 1;
CREATE TABLE announcements (        -- appended to; a key of a kind is announced once for a campaign
    announcement_id BIGINT DEFAULT nextval('announcement_ids') NOT NULL,
    campaign_id     BIGINT NOT NULL,
    kind            VARCHAR NOT NULL,
    key             VARCHAR NOT NULL,
    sentence        VARCHAR NOT NULL,
    detail          JSON NOT NULL,
    announced_at    TIMESTAMP NOT NULL
);
