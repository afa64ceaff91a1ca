-- SPDX-License-Identifier: GPL-2.0-or-later
-- The tables of a recording, format 2.  docs/recording.md says what every column means.
-- Unsigned 64-bit values are stored bit for bit in signed integers.  NULL: not known.
-- Columns follow XRW_EXIT_FIELD_TABLE and XRW_REGISTER_TABLE, in their order; a test compares.

CREATE TABLE meta (
  key   TEXT NOT NULL PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id            INTEGER PRIMARY KEY,
  source        TEXT NOT NULL,     -- 'xen', 'machine'
  mode          TEXT NOT NULL,     -- 'pause', 'async', 'sync', 'machine'
  memory        TEXT NOT NULL,     -- 'none', 'exit', 'frames'
  vcpus         INTEGER NOT NULL,
  interrupts    INTEGER NOT NULL,  -- 1: interrupts were allowed in the fork
  reexecutable  INTEGER NOT NULL,  -- 1: the guest is fit for re-execution
  fitness       TEXT NOT NULL,     -- what was checked for that
  domain        INTEGER NOT NULL,
  parent        INTEGER,
  start_unix_ns INTEGER NOT NULL,
  end_unix_ns   INTEGER,           -- NULL: not ended, or cut off
  base_run      INTEGER NOT NULL,  -- run whose memory at exit 0 is this one's, where it has no own
  first_exit    INTEGER NOT NULL,
  last_exit     INTEGER NOT NULL,  -- inclusive; first_exit - 1 while empty
  stop          TEXT,
  stop_detail   TEXT,
  path          INTEGER            -- hash of the exits that the guest caused; NULL: not ended
) STRICT;

CREATE TABLE input (
  run     INTEGER NOT NULL,
  n       INTEGER NOT NULL,        -- 1, 2 ... in the order in which they were written
  space   TEXT NOT NULL,           -- 'gva', 'gpa'
  address INTEGER NOT NULL,
  name    TEXT NOT NULL,
  data    BLOB NOT NULL,
  PRIMARY KEY (run, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE exit_reason (
  reason INTEGER PRIMARY KEY,      -- basic exit reason
  name   TEXT NOT NULL,
  what   TEXT NOT NULL
) STRICT;

CREATE TABLE insn (
  id   INTEGER PRIMARY KEY,
  rip  INTEGER NOT NULL,
  mode INTEGER NOT NULL,           -- 64, 32, 16
  code BLOB NOT NULL,
  text TEXT NOT NULL
) STRICT;

CREATE TABLE sysregs (
  id INTEGER PRIMARY KEY,
  cr0 INTEGER, cr4 INTEGER, efer INTEGER,
  dr0 INTEGER, dr1 INTEGER, dr2 INTEGER, dr3 INTEGER, dr6 INTEGER, dr7 INTEGER,
  star INTEGER, lstar INTEGER, cstar INTEGER, sfmask INTEGER,
  kernel_gs_base INTEGER, tsc_aux INTEGER,
  sysenter_cs INTEGER, sysenter_esp INTEGER, sysenter_eip INTEGER,
  gdtr_base INTEGER, gdtr_limit INTEGER, idtr_base INTEGER, idtr_limit INTEGER,
  cs INTEGER, cs_base INTEGER, cs_limit INTEGER, cs_attr INTEGER,
  ss INTEGER, ss_base INTEGER, ss_limit INTEGER, ss_attr INTEGER,
  ds INTEGER, ds_base INTEGER, ds_limit INTEGER, ds_attr INTEGER,
  es INTEGER, es_base INTEGER, es_limit INTEGER, es_attr INTEGER,
  fs INTEGER, fs_base INTEGER, fs_limit INTEGER, fs_attr INTEGER,
  gs INTEGER, gs_base INTEGER, gs_limit INTEGER, gs_attr INTEGER,
  ldtr INTEGER, ldtr_base INTEGER, ldtr_limit INTEGER, ldtr_attr INTEGER,
  tr INTEGER, tr_base INTEGER, tr_limit INTEGER, tr_attr INTEGER
) STRICT;

CREATE TABLE exit (
  id      INTEGER PRIMARY KEY,     -- 1, 2, 3 ... in capture order
  run     INTEGER NOT NULL,
  vcpu    INTEGER NOT NULL,
  insn    INTEGER,                 -- insn.id
  sysregs INTEGER NOT NULL,        -- sysregs.id
  time_ns INTEGER, tsc INTEGER,
  reason INTEGER, qualification INTEGER, gpa INTEGER, gla INTEGER,
  intr_info INTEGER, intr_error INTEGER, idt_info INTEGER, idt_error INTEGER,
  insn_len INTEGER, insn_info INTEGER, interruptibility INTEGER,
  entry_intr_info INTEGER, entry_error INTEGER,
  entry_tsc INTEGER, entry_tsc_offset INTEGER, entries INTEGER,
  rax INTEGER, rcx INTEGER, rdx INTEGER, rbx INTEGER,
  rsp INTEGER, rbp INTEGER, rsi INTEGER, rdi INTEGER,
  r8 INTEGER, r9 INTEGER, r10 INTEGER, r11 INTEGER,
  r12 INTEGER, r13 INTEGER, r14 INTEGER, r15 INTEGER,
  rip INTEGER, rflags INTEGER, cr2 INTEGER, cr3 INTEGER
) STRICT;

CREATE TABLE resume (
  exit    INTEGER PRIMARY KEY,     -- exit.id
  unknown INTEGER NOT NULL,        -- bit n: register n of this table is no longer known
  sysregs INTEGER,                 -- sysregs.id; NULL: the row it had at the exit
  rax INTEGER, rcx INTEGER, rdx INTEGER, rbx INTEGER,
  rsp INTEGER, rbp INTEGER, rsi INTEGER, rdi INTEGER,
  r8 INTEGER, r9 INTEGER, r10 INTEGER, r11 INTEGER,
  r12 INTEGER, r13 INTEGER, r14 INTEGER, r15 INTEGER,
  rip INTEGER, rflags INTEGER, cr2 INTEGER, cr3 INTEGER
) STRICT;

CREATE TABLE page (
  id       INTEGER PRIMARY KEY,    -- 0: the page of zeros
  hash     BLOB NOT NULL,          -- XXH3-128 of the 4096 bytes, canonical (big endian)
  encoding INTEGER NOT NULL,       -- 0 all zero, 1 as it is, 2 LZ4 block
  data     BLOB NOT NULL
) STRICT;

CREATE TABLE page_version (
  run  INTEGER NOT NULL,
  gfn  INTEGER NOT NULL,
  exit INTEGER NOT NULL,           -- 0: the base image
  page INTEGER NOT NULL,           -- page.id
  PRIMARY KEY (run, gfn, exit)
) STRICT, WITHOUT ROWID;

CREATE TABLE memory_frame (
  run  INTEGER NOT NULL,
  exit INTEGER NOT NULL,
  PRIMARY KEY (run, exit)
) STRICT, WITHOUT ROWID;

CREATE TABLE context (
  run  INTEGER NOT NULL,
  kind TEXT NOT NULL,              -- 'fxsave', 'hvm'
  vcpu INTEGER NOT NULL,
  exit INTEGER NOT NULL,           -- 0: at the start of the run
  data BLOB NOT NULL,
  PRIMARY KEY (run, kind, vcpu, exit)
) STRICT, WITHOUT ROWID;
