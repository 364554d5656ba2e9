-- User ids that are whole numbers.
-- In: variable user_offset.  Out: macros user_key, user_fault and written_user.
CREATE OR REPLACE MACRO user_key(field) AS shifted(whole_number(field));

CREATE OR REPLACE MACRO user_fault(field) AS
    coalesce(id_fault(field, 'userId'), CASE WHEN user_key(field) IS NULL THEN 'userId beyond int64' END);

CREATE OR REPLACE MACRO written_user(id) AS id;
