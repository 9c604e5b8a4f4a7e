"""The SQL of the leases, the same for SQLite and PostgreSQL. `{now}` and `{skip_locked}` are the database's.

Every row belongs to a folder, so that several state folders can share a database.
"""

OFFER = """
    INSERT INTO grader_task (folder, key, state, attempt, owner, lease_until, failures, losses)
    VALUES (:folder, :key, 'queued', 0, '', 0, 0, 0)
    ON CONFLICT (folder, key) DO UPDATE SET state = 'queued', failures = 0, losses = 0
    WHERE grader_task.state IN ('queued', 'failed')"""

CLAIM = """
    UPDATE grader_task
    SET state = 'running', attempt = attempt + 1, owner = :owner, lease_until = {now} + :lease_s
    WHERE folder = :folder AND key = (
        SELECT key FROM grader_task
        WHERE folder = :folder AND key = :key AND state = 'queued' {skip_locked})
    RETURNING attempt"""

HELD = "folder = :folder AND key = :key AND attempt = :attempt AND owner = :owner AND state = 'running'"
"""The fence: the attempt is the latest of its key, and nobody took it away."""

LEAVE = "UPDATE grader_task SET state = :state WHERE " + HELD + " RETURNING key"  # noqa: S608 — ours

COUNT_AND_LEAVE = (
    """
    UPDATE grader_task
    SET {counter} = {counter} + 1,
        state = CASE WHEN {counter} + 1 < :at_most THEN 'queued' ELSE 'failed' END
    WHERE """  # noqa: S608 — ours, and no value is ever put into a statement
    + HELD
    + " RETURNING state"
)

HEARTBEAT = """
    UPDATE grader_task SET lease_until = {now} + :lease_s
    WHERE folder = :folder AND owner = :owner AND state = 'running' RETURNING key, attempt"""

RUNNING = """
    SELECT key, attempt, owner, lease_until < {now} FROM grader_task
    WHERE folder = :folder AND state = 'running' AND owner <> :owner ORDER BY key"""

STORE_RESULT = """
    INSERT INTO grader_result (folder, key, attempt, sha256) VALUES (:folder, :key, :attempt, :sha256)"""

FINISHED_BY = """
    SELECT 1 FROM grader_task JOIN grader_result USING (folder, key)
    WHERE folder = :folder AND key = :key AND grader_result.attempt = :attempt AND owner = :owner"""

RESULT_OF = "SELECT sha256 FROM grader_result WHERE folder = :folder AND key = :key"

FORGET_RESULT = """
    DELETE FROM grader_result
    WHERE folder = :folder AND key = :key AND sha256 = :sha256 RETURNING attempt"""

REOPEN = """
    UPDATE grader_task SET state = 'queued', failures = 0, losses = 0
    WHERE folder = :folder AND key = :key"""

STATE_OF = "SELECT state FROM grader_task WHERE folder = :folder AND key = :key"

BEGIN_LOG = """
    INSERT INTO grader_attempt (folder, key, attempt, owner, began, reason)
    VALUES (:folder, :key, :attempt, :owner, {now}, '')"""

END_LOG = """
    UPDATE grader_attempt SET ended = {now}, ending = :ending, reason = :reason
    WHERE folder = :folder AND key = :key AND attempt = :attempt"""

LOG = """
    SELECT key, attempt, owner, began, ended, ending, reason FROM grader_attempt
    WHERE folder = :folder AND (key = :key OR :key = '') ORDER BY began, key, attempt"""
