-- SPDX-License-Identifier: GPL-2.0-or-later
-- The tables of a recording, format 4.  docs/recording.md says what every column means.
-- Unsigned 64-bit values are stored bit for bit in signed integers.  NULL: not known.
-- Columns follow the tables of core and of schema/src/columns.h, in their order; a test compares.

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
  base_run      INTEGER NOT NULL,  -- whose memory at exit 0 is this run's, where it has no own; 0: no run's
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
  reason INTEGER PRIMARY KEY,      -- basic exit reason; of SVM 0x1000 + exit code
  name   TEXT NOT NULL,
  what   TEXT NOT NULL,
  vendor TEXT NOT NULL             -- 'VMX', 'SVM'
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

-- What exits have in common with others at the same place: each combination once.
CREATE TABLE site (
  id         INTEGER PRIMARY KEY,
  insn       INTEGER,                -- insn.id
  rip        INTEGER,
  reason INTEGER, qualification INTEGER, intr_info INTEGER, intr_error INTEGER, idt_info INTEGER,
  idt_error INTEGER, insn_len INTEGER, insn_info INTEGER, interruptibility INTEGER,
  entry_intr_info INTEGER, entry_error INTEGER,
  exits      INTEGER NOT NULL,       -- how many so far, kept while recording; the first, the last
  first_exit INTEGER NOT NULL,
  last_exit  INTEGER NOT NULL
) STRICT;
CREATE INDEX site_by_rip ON site(rip);
CREATE INDEX site_by_reason ON site(reason & 0xffff);

-- The address spaces that exits were in: each CR3 with what else decides how it is read.
CREATE TABLE space (
  id         INTEGER PRIMARY KEY,
  cr3        INTEGER,
  cr0        INTEGER,
  cr4        INTEGER,
  efer       INTEGER,
  exits      INTEGER NOT NULL,       -- as in site
  first_exit INTEGER NOT NULL,
  last_exit  INTEGER NOT NULL
) STRICT;

-- Sets of registers at exits: those that functions keep, and those that they work with.  A set that
-- comes back soon is stored once.
CREATE TABLE kept (
  id INTEGER PRIMARY KEY,
  rbx INTEGER, rsp INTEGER, rbp INTEGER, r11 INTEGER, r12 INTEGER, r13 INTEGER, r14 INTEGER,
  r15 INTEGER, cr2 INTEGER, cr3 INTEGER
) STRICT;

CREATE TABLE work (
  id INTEGER PRIMARY KEY,
  rax INTEGER, rcx INTEGER, rdx INTEGER, rsi INTEGER, rdi INTEGER, r8 INTEGER, rflags INTEGER
) STRICT;

-- What exits recorded one after the other have in common: values that theirs are counted from.
CREATE TABLE block (
  id      INTEGER PRIMARY KEY,
  run     INTEGER NOT NULL,
  vcpu    INTEGER NOT NULL,
  resume  INTEGER NOT NULL,          -- 1: the registers after the handling are known
  exits   INTEGER NOT NULL,          -- that have this block
  time_ns INTEGER, tsc INTEGER, entry_tsc_offset INTEGER, entries INTEGER, gpa INTEGER,
  gla INTEGER, sysregs INTEGER, r9 INTEGER, r10 INTEGER
) STRICT;

-- One row an exit.  d_NAME: what is to be added to block.NAME; after_NAME: the register after the
-- handling, NULL if it is as before.  Rows leave out what has its default at their end.
CREATE TABLE exit (
  id    INTEGER PRIMARY KEY,         -- 1, 2, 3 ... in capture order
  site  INTEGER NOT NULL,            -- site.id
  block INTEGER NOT NULL,            -- block.id
  kept  INTEGER NOT NULL,            -- kept.id
  work  INTEGER NOT NULL,            -- work.id
  gap INTEGER, d_time_ns INTEGER DEFAULT 0, d_tsc INTEGER DEFAULT 0, advance INTEGER DEFAULT 0,
  after_rax INTEGER, after_rdx INTEGER, d_r9 INTEGER DEFAULT 0, after_rcx INTEGER,
  d_r10 INTEGER DEFAULT 0, d_sysregs INTEGER DEFAULT 0, d_gpa INTEGER, d_gla INTEGER,
  after_rbx INTEGER, after_rsi INTEGER, after_sysregs INTEGER, after_rdi INTEGER,
  qualification INTEGER, d_entries INTEGER DEFAULT 0, after_cr3 INTEGER, after_rflags INTEGER,
  after_cr2 INTEGER, after_rsp INTEGER, after_rbp INTEGER, after_r8 INTEGER, after_r9 INTEGER,
  after_r10 INTEGER, after_r11 INTEGER, after_r12 INTEGER, after_r13 INTEGER, after_r14 INTEGER,
  after_r15 INTEGER, after_rip INTEGER, whole_entries INTEGER, whole_entry_tsc INTEGER,
  unknown INTEGER DEFAULT 0, d_entry_tsc_offset INTEGER DEFAULT 0
) STRICT;

CREATE TABLE page (
  id       INTEGER PRIMARY KEY,    -- 0: the page of zeros
  hash     BLOB NOT NULL,          -- XXH3-128 of the 4096 bytes, canonical (big endian)
  encoding INTEGER NOT NULL,       -- 0 all zero, 1 as it is, 2 LZ4, 3 LZ4 of the XOR with base
  base     INTEGER,                -- page.id
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
