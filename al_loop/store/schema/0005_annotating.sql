-- Requests that a client may send again, and what annotators say about samples beside their labels.

-- What a request with an `Idempotency-Key` was answered, stored in the transaction that carried it out; pruned after days.
CREATE TABLE request_answers (
    campaign_id BIGINT NOT NULL,
    annotator   VARCHAR NOT NULL,
    request_key VARCHAR NOT NULL,
    digest      VARCHAR NOT NULL,     -- of route and body: another request must not use the same key
    answer      JSON NOT NULL,
    recorded_at TIMESTAMP NOT NULL
);
CREATE INDEX request_answers_by_key ON request_answers (request_key);

CREATE SEQUENCE comment_ids START 1;
CREATE TABLE comments (
    comment_id  BIGINT DEFAULT nextval('comment_ids') NOT NULL,
    campaign_id BIGINT NOT NULL,
    sample_id   BIGINT NOT NULL,
    annotator   VARCHAR NOT NULL,
    text        VARCHAR NOT NULL,
    flag        BOOLEAN NOT NULL,     -- somebody has to look at the sample
    written_at  TIMESTAMP NOT NULL,
    resolved_at TIMESTAMP,
    resolved_by VARCHAR
);
