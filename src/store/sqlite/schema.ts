import { DatabaseSync } from 'node:sqlite'

/** "lemg". It tells a store of the gateway from the database of another program. */
export const APPLICATION_ID = 0x6c656d67

/**
 * Entry n leads from schema version n to n + 1. Entries may be added but never changed, because
 * existing files were made by them.
 */
const MIGRATIONS: readonly string[] = [
  // `record` is JSON, and `checksum` is verified before it is parsed. At `due_at`, epoch
  // milliseconds, the sweep has something to do on the row.
  `create table results (
    export text primary key,
    due_at integer not null,
    record text not null,
    body blob,
    checksum blob not null
  ) strict, without rowid;
  create index results_due on results (due_at);
  create table meta (name text primary key, value integer not null) strict, without rowid;`,
  // `record` is JSON, and `checksum` is verified before it is parsed. `due_at` and `deadline`
  // repeat values of the record for the index.
  `create table schedule (
    export text primary key,
    due_at integer not null,
    deadline integer not null,
    record text not null,
    checksum blob not null
  ) strict, without rowid;
  create index schedule_due on schedule (due_at, deadline);`,
  // `record` is JSON, and `checksum` is verified before it is parsed. `copy` repeats the key, in
  // case one of the two is damaged. `forget_at` repeats a value of the record for the index.
  `create table idempotency (
    key text primary key,
    copy text not null,
    forget_at integer not null,
    record text not null,
    answer blob,
    checksum blob not null
  ) strict, without rowid;
  create index idempotency_forget on idempotency (forget_at);`,
  // `record` is JSON, and `checksum` is verified before it is parsed. The table has no due times.
  // They are only in memory, because to write them at every look would wear out disks.
  `create table followed (
    export text primary key,
    record text not null,
    checksum blob not null
  ) strict, without rowid;
  insert into followed select export, record, checksum from schedule;
  drop table schedule;`,
  // `campaign` is empty for what is left of an expired record, which is in no list. Nobody had noted
  // when an export was first seen, so it is when lemlist said the status, or 24 h before the verdict
  // that the export timed out is forgotten. A damaged record is in no list.
  `alter table results add column campaign text not null default '';
  alter table results add column first_seen_at integer not null default 0;
  update results set
    campaign = substr(export, 1, instr(export, '/') + instr(substr(export, instr(export, '/') + 1), '/') - 1),
    first_seen_at = cast(coalesce(
      json_extract(record, '$.snapshot.observedAt'),
      json_extract(record, '$.forgetAt') - 86400000) as integer)
    where json_valid(record) and json_extract(record, '$.kind') in ('final', 'timed-out')
      and typeof(json_extract(record, '$.forgetAt')) in ('integer', 'real');
  create index results_campaign on results (campaign, first_seen_at, due_at);`,
]

/** The schema version that this code writes. */
export const SCHEMA_VERSION = MIGRATIONS.length

/** Brings a file of version `from` to `SCHEMA_VERSION`. Each step is one transaction. */
export const migrate = (db: DatabaseSync, from: number): void => {
  for (const [step, sql] of MIGRATIONS.entries()) {
    if (step < from) continue
    db.exec(`begin immediate; ${sql}
      pragma application_id = ${APPLICATION_ID};
      pragma user_version = ${step + 1};
      commit`)
  }
}

const schemaOf = (db: DatabaseSync): readonly string[] =>
  db
    .prepare('select type, name, tbl_name, sql from sqlite_schema')
    .all()
    .map((entry) => JSON.stringify(entry))

/**
 * Whether the file has the tables and indexes that the migrations make. Damage may be in their
 * definitions. The file may have others, too: `analyze` makes a table, and the operator may add an
 * index.
 */
export const hasOurSchema = (db: DatabaseSync): boolean => {
  const fresh = new DatabaseSync(':memory:')
  migrate(fresh, 0)
  const expected = schemaOf(fresh)
  fresh.close()
  const found = new Set(schemaOf(db))
  return expected.every((entry) => found.has(entry))
}
