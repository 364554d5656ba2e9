-- User ids that are texts.
-- In: variable user_prefix.  Out: macros user_key and user_fault.
CREATE OR REPLACE MACRO user_key(field) AS text_id(getvariable('user_prefix') || nullif(field, ''));

CREATE OR REPLACE MACRO user_fault(field) AS
    CASE WHEN field IS NULL OR field = '' THEN 'empty userId'
         ELSE text_id_fault(getvariable('user_prefix') || field, 'userId') END;
