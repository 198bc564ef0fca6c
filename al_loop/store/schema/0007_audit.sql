-- Who changed what: changes that need the role ops, deletions, tokens that came and went. Append-only.

CREATE SEQUENCE audit_ids START 1;
CREATE TABLE audit (
    audit_id BIGINT DEFAULT nextval('audit_ids') NOT NULL,
    done_at  TIMESTAMP NOT NULL,
    who      VARCHAR,               -- person of the token; NULL: a shared token, or none
    role     VARCHAR,
    action   VARCHAR NOT NULL,      -- operationId of the route, 'addToken' or 'revokeToken'
    campaign VARCHAR,               -- by name, as campaigns may be deleted
    detail   JSON NOT NULL
);
