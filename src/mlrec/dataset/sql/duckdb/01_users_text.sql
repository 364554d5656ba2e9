-- User ids that are texts.
-- In: variable user_prefix.  Out: macros user_key, user_fault and written_user.
CREATE OR REPLACE MACRO user_key(field) AS text_id(getvariable('user_prefix') || nullif(field, ''));

CREATE OR REPLACE MACRO user_fault(field) AS
    CASE WHEN field IS NULL OR field = '' THEN 'empty userId'
         ELSE text_id_fault(getvariable('user_prefix') || field, 'userId') END;

CREATE OR REPLACE MACRO written_user(id) AS CAST(id AS VARCHAR);
