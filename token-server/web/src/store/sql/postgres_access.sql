-- Lists of users, for those who ask for them. Not one of the tables that Mozilla's servers made.

CREATE TABLE IF NOT EXISTS token_server_access (
    list VARCHAR(5) NOT NULL CHECK (list IN ('allow', 'deny')),
    issuer VARCHAR(255) NOT NULL,
    subject VARCHAR(255) NOT NULL,
    PRIMARY KEY (list, issuer, subject)
);
