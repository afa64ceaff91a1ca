-- SPDX-License-Identifier: GPL-2.0-or-later
-- The views: names, hexadecimal and decoded operands, in plain SQL.  docs/recording.md has examples.
-- A column called NAME is the number, NAME_hex the same for the eye; id is always the exit's.

-- Every exit in one wide row: all registers before and after its handling, as numbers.
-- moved: RIP did, so that the instruction has been carried out and the registers hold its answer.
-- Where it stayed a fault or another try follows, and what they hold is no answer.
CREATE VIEW state AS
SELECT e.id, b.run, b.vcpu, s.reason & 0xffff AS basic_reason, i.text AS insn,
  iif(s.rip IS NULL, NULL, printf('0x%x', s.rip)) AS rip_hex, b.resume AS has_after,
  iif(b.resume AND NOT e.unknown >> 16 & 1, coalesce(e.after_rip, s.rip + e.advance) <> s.rip, NULL) AS moved,
  b.time_ns + e.d_time_ns AS time_ns, b.tsc + e.d_tsc AS tsc, s.reason,
  coalesce(e.qualification, s.qualification) AS qualification, b.gpa + e.d_gpa AS gpa,
  b.gla + e.d_gla AS gla, s.intr_info, s.intr_error, s.idt_info, s.idt_error, s.insn_len,
  s.insn_info, s.interruptibility, s.entry_intr_info, s.entry_error,
  coalesce(e.whole_entry_tsc, b.tsc + e.d_tsc - e.gap) AS entry_tsc,
  b.entry_tsc_offset + e.d_entry_tsc_offset AS entry_tsc_offset,
  coalesce(e.whole_entries, b.entries + e.d_entries + e.id) AS entries, w.rax, w.rcx, w.rdx,
  k.rbx, k.rsp, k.rbp, w.rsi, w.rdi, w.r8, b.r9 + e.d_r9 AS r9, b.r10 + e.d_r10 AS r10, k.r11,
  k.r12, k.r13, k.r14, k.r15, s.rip, w.rflags, k.cr2, k.cr3, y.cr0, y.cr4, y.efer, y.dr0, y.dr1,
  y.dr2, y.dr3, y.dr6, y.dr7, y.star, y.lstar, y.cstar, y.sfmask, y.kernel_gs_base, y.tsc_aux,
  y.sysenter_cs, y.sysenter_esp, y.sysenter_eip, y.gdtr_base, y.gdtr_limit, y.idtr_base,
  y.idtr_limit, y.cs, y.cs_base, y.cs_limit, y.cs_attr, y.ss, y.ss_base, y.ss_limit, y.ss_attr,
  y.ds, y.ds_base, y.ds_limit, y.ds_attr, y.es, y.es_base, y.es_limit, y.es_attr, y.fs,
  y.fs_base, y.fs_limit, y.fs_attr, y.gs, y.gs_base, y.gs_limit, y.gs_attr, y.ldtr, y.ldtr_base,
  y.ldtr_limit, y.ldtr_attr, y.tr, y.tr_base, y.tr_limit, y.tr_attr,
  iif(b.resume AND NOT e.unknown >> 0 & 1, coalesce(e.after_rax, w.rax), NULL) AS after_rax,
  iif(b.resume AND NOT e.unknown >> 1 & 1, coalesce(e.after_rcx, w.rcx), NULL) AS after_rcx,
  iif(b.resume AND NOT e.unknown >> 2 & 1, coalesce(e.after_rdx, w.rdx), NULL) AS after_rdx,
  iif(b.resume AND NOT e.unknown >> 3 & 1, coalesce(e.after_rbx, k.rbx), NULL) AS after_rbx,
  iif(b.resume AND NOT e.unknown >> 4 & 1, coalesce(e.after_rsp, k.rsp), NULL) AS after_rsp,
  iif(b.resume AND NOT e.unknown >> 5 & 1, coalesce(e.after_rbp, k.rbp), NULL) AS after_rbp,
  iif(b.resume AND NOT e.unknown >> 6 & 1, coalesce(e.after_rsi, w.rsi), NULL) AS after_rsi,
  iif(b.resume AND NOT e.unknown >> 7 & 1, coalesce(e.after_rdi, w.rdi), NULL) AS after_rdi,
  iif(b.resume AND NOT e.unknown >> 8 & 1, coalesce(e.after_r8, w.r8), NULL) AS after_r8,
  iif(b.resume AND NOT e.unknown >> 9 & 1, coalesce(e.after_r9, b.r9 + e.d_r9), NULL) AS after_r9,
  iif(b.resume AND NOT e.unknown >> 10 & 1, coalesce(e.after_r10, b.r10 + e.d_r10), NULL) AS after_r10,
  iif(b.resume AND NOT e.unknown >> 11 & 1, coalesce(e.after_r11, k.r11), NULL) AS after_r11,
  iif(b.resume AND NOT e.unknown >> 12 & 1, coalesce(e.after_r12, k.r12), NULL) AS after_r12,
  iif(b.resume AND NOT e.unknown >> 13 & 1, coalesce(e.after_r13, k.r13), NULL) AS after_r13,
  iif(b.resume AND NOT e.unknown >> 14 & 1, coalesce(e.after_r14, k.r14), NULL) AS after_r14,
  iif(b.resume AND NOT e.unknown >> 15 & 1, coalesce(e.after_r15, k.r15), NULL) AS after_r15,
  iif(b.resume AND NOT e.unknown >> 16 & 1, coalesce(e.after_rip, s.rip + e.advance), NULL) AS after_rip,
  iif(b.resume AND NOT e.unknown >> 17 & 1, coalesce(e.after_rflags, w.rflags), NULL) AS after_rflags,
  iif(b.resume AND NOT e.unknown >> 18 & 1, coalesce(e.after_cr2, k.cr2), NULL) AS after_cr2,
  iif(b.resume AND NOT e.unknown >> 19 & 1, coalesce(e.after_cr3, k.cr3), NULL) AS after_cr3,
  a.cr0 AS after_cr0, a.cr4 AS after_cr4, a.efer AS after_efer, a.dr0 AS after_dr0,
  a.dr1 AS after_dr1, a.dr2 AS after_dr2, a.dr3 AS after_dr3, a.dr6 AS after_dr6,
  a.dr7 AS after_dr7, a.star AS after_star, a.lstar AS after_lstar, a.cstar AS after_cstar,
  a.sfmask AS after_sfmask, a.kernel_gs_base AS after_kernel_gs_base, a.tsc_aux AS after_tsc_aux,
  a.sysenter_cs AS after_sysenter_cs, a.sysenter_esp AS after_sysenter_esp,
  a.sysenter_eip AS after_sysenter_eip, a.gdtr_base AS after_gdtr_base,
  a.gdtr_limit AS after_gdtr_limit, a.idtr_base AS after_idtr_base,
  a.idtr_limit AS after_idtr_limit, a.cs AS after_cs, a.cs_base AS after_cs_base,
  a.cs_limit AS after_cs_limit, a.cs_attr AS after_cs_attr, a.ss AS after_ss,
  a.ss_base AS after_ss_base, a.ss_limit AS after_ss_limit, a.ss_attr AS after_ss_attr,
  a.ds AS after_ds, a.ds_base AS after_ds_base, a.ds_limit AS after_ds_limit,
  a.ds_attr AS after_ds_attr, a.es AS after_es, a.es_base AS after_es_base,
  a.es_limit AS after_es_limit, a.es_attr AS after_es_attr, a.fs AS after_fs,
  a.fs_base AS after_fs_base, a.fs_limit AS after_fs_limit, a.fs_attr AS after_fs_attr,
  a.gs AS after_gs, a.gs_base AS after_gs_base, a.gs_limit AS after_gs_limit,
  a.gs_attr AS after_gs_attr, a.ldtr AS after_ldtr, a.ldtr_base AS after_ldtr_base,
  a.ldtr_limit AS after_ldtr_limit, a.ldtr_attr AS after_ldtr_attr, a.tr AS after_tr,
  a.tr_base AS after_tr_base, a.tr_limit AS after_tr_limit, a.tr_attr AS after_tr_attr
FROM exit e
JOIN block b ON b.id = e.block
JOIN site s ON s.id = e.site
JOIN kept k ON k.id = e.kept
JOIN work w ON w.id = e.work
LEFT JOIN insn i ON i.id = s.insn
LEFT JOIN sysregs y ON y.id = b.sysregs + e.d_sysregs
LEFT JOIN sysregs a ON b.resume AND a.id = coalesce(e.after_sysregs, b.sysregs + e.d_sysregs);

-- The same upright: one row a register, for one exit or a range of exits.  A SELECT each for the registers
-- that can be indexed and others that change much, one for all that change rarely: preparing each takes 0.3 ms.
CREATE VIEW registers AS
SELECT id, register,
  iif(before IS NULL, NULL, printf('0x%x', before)) AS before_hex,
  iif(after IS NULL, NULL, printf('0x%x', after)) AS after_hex,
  iif(has_after, before IS NOT after, NULL) AS changed,
  before, after
FROM (
  SELECT id, has_after, 'rax' AS register, rax AS before, after_rax AS after FROM state
  UNION ALL SELECT id, has_after, 'rcx', rcx, after_rcx FROM state
  UNION ALL SELECT id, has_after, 'rdx', rdx, after_rdx FROM state
  UNION ALL SELECT id, has_after, 'rbx', rbx, after_rbx FROM state
  UNION ALL SELECT id, has_after, 'rsp', rsp, after_rsp FROM state
  UNION ALL SELECT id, has_after, 'rbp', rbp, after_rbp FROM state
  UNION ALL SELECT id, has_after, 'rsi', rsi, after_rsi FROM state
  UNION ALL SELECT id, has_after, 'rdi', rdi, after_rdi FROM state
  UNION ALL SELECT id, has_after, 'r8', r8, after_r8 FROM state
  UNION ALL SELECT id, has_after, 'r9', r9, after_r9 FROM state
  UNION ALL SELECT id, has_after, 'r10', r10, after_r10 FROM state
  UNION ALL SELECT id, has_after, 'r11', r11, after_r11 FROM state
  UNION ALL SELECT id, has_after, 'r12', r12, after_r12 FROM state
  UNION ALL SELECT id, has_after, 'r13', r13, after_r13 FROM state
  UNION ALL SELECT id, has_after, 'r14', r14, after_r14 FROM state
  UNION ALL SELECT id, has_after, 'r15', r15, after_r15 FROM state
  UNION ALL SELECT id, has_after, 'rip', rip, after_rip FROM state
  UNION ALL SELECT id, has_after, 'rflags', rflags, after_rflags FROM state
  UNION ALL SELECT id, has_after, 'cr2', cr2, after_cr2 FROM state
  UNION ALL SELECT id, has_after, 'cr3', cr3, after_cr3 FROM state
  UNION ALL SELECT id, has_after, n.column2,
    CASE n.column1
      WHEN 0 THEN cr0 WHEN 1 THEN cr4 WHEN 2 THEN efer WHEN 3 THEN dr0 WHEN 4 THEN dr1 WHEN 5 THEN dr2
      WHEN 6 THEN dr3 WHEN 7 THEN dr6 WHEN 8 THEN dr7 WHEN 9 THEN star WHEN 10 THEN lstar WHEN 11 THEN cstar
      WHEN 12 THEN sfmask WHEN 13 THEN kernel_gs_base WHEN 14 THEN tsc_aux WHEN 15 THEN sysenter_cs
      WHEN 16 THEN sysenter_esp WHEN 17 THEN sysenter_eip WHEN 18 THEN gdtr_base WHEN 19 THEN gdtr_limit
      WHEN 20 THEN idtr_base WHEN 21 THEN idtr_limit WHEN 22 THEN cs WHEN 23 THEN cs_base
      WHEN 24 THEN cs_limit WHEN 25 THEN cs_attr WHEN 26 THEN ss WHEN 27 THEN ss_base WHEN 28 THEN ss_limit
      WHEN 29 THEN ss_attr WHEN 30 THEN ds WHEN 31 THEN ds_base WHEN 32 THEN ds_limit WHEN 33 THEN ds_attr
      WHEN 34 THEN es WHEN 35 THEN es_base WHEN 36 THEN es_limit WHEN 37 THEN es_attr WHEN 38 THEN fs
      WHEN 39 THEN fs_base WHEN 40 THEN fs_limit WHEN 41 THEN fs_attr WHEN 42 THEN gs WHEN 43 THEN gs_base
      WHEN 44 THEN gs_limit WHEN 45 THEN gs_attr WHEN 46 THEN ldtr WHEN 47 THEN ldtr_base
      WHEN 48 THEN ldtr_limit WHEN 49 THEN ldtr_attr WHEN 50 THEN tr WHEN 51 THEN tr_base
      WHEN 52 THEN tr_limit WHEN 53 THEN tr_attr
    END,
    CASE n.column1
      WHEN 0 THEN after_cr0 WHEN 1 THEN after_cr4 WHEN 2 THEN after_efer WHEN 3 THEN after_dr0
      WHEN 4 THEN after_dr1 WHEN 5 THEN after_dr2 WHEN 6 THEN after_dr3 WHEN 7 THEN after_dr6
      WHEN 8 THEN after_dr7 WHEN 9 THEN after_star WHEN 10 THEN after_lstar WHEN 11 THEN after_cstar
      WHEN 12 THEN after_sfmask WHEN 13 THEN after_kernel_gs_base WHEN 14 THEN after_tsc_aux
      WHEN 15 THEN after_sysenter_cs WHEN 16 THEN after_sysenter_esp WHEN 17 THEN after_sysenter_eip
      WHEN 18 THEN after_gdtr_base WHEN 19 THEN after_gdtr_limit WHEN 20 THEN after_idtr_base
      WHEN 21 THEN after_idtr_limit WHEN 22 THEN after_cs WHEN 23 THEN after_cs_base
      WHEN 24 THEN after_cs_limit WHEN 25 THEN after_cs_attr WHEN 26 THEN after_ss
      WHEN 27 THEN after_ss_base WHEN 28 THEN after_ss_limit WHEN 29 THEN after_ss_attr
      WHEN 30 THEN after_ds WHEN 31 THEN after_ds_base WHEN 32 THEN after_ds_limit
      WHEN 33 THEN after_ds_attr WHEN 34 THEN after_es WHEN 35 THEN after_es_base
      WHEN 36 THEN after_es_limit WHEN 37 THEN after_es_attr WHEN 38 THEN after_fs
      WHEN 39 THEN after_fs_base WHEN 40 THEN after_fs_limit WHEN 41 THEN after_fs_attr
      WHEN 42 THEN after_gs WHEN 43 THEN after_gs_base WHEN 44 THEN after_gs_limit
      WHEN 45 THEN after_gs_attr WHEN 46 THEN after_ldtr WHEN 47 THEN after_ldtr_base
      WHEN 48 THEN after_ldtr_limit WHEN 49 THEN after_ldtr_attr WHEN 50 THEN after_tr
      WHEN 51 THEN after_tr_base WHEN 52 THEN after_tr_limit WHEN 53 THEN after_tr_attr
    END
  FROM (VALUES
    (0, 'cr0'), (1, 'cr4'), (2, 'efer'), (3, 'dr0'), (4, 'dr1'), (5, 'dr2'), (6, 'dr3'), (7, 'dr6'),
    (8, 'dr7'), (9, 'star'), (10, 'lstar'), (11, 'cstar'), (12, 'sfmask'), (13, 'kernel_gs_base'),
    (14, 'tsc_aux'), (15, 'sysenter_cs'), (16, 'sysenter_esp'), (17, 'sysenter_eip'), (18, 'gdtr_base'),
    (19, 'gdtr_limit'), (20, 'idtr_base'), (21, 'idtr_limit'), (22, 'cs'), (23, 'cs_base'),
    (24, 'cs_limit'), (25, 'cs_attr'), (26, 'ss'), (27, 'ss_base'), (28, 'ss_limit'), (29, 'ss_attr'),
    (30, 'ds'), (31, 'ds_base'), (32, 'ds_limit'), (33, 'ds_attr'), (34, 'es'), (35, 'es_base'),
    (36, 'es_limit'), (37, 'es_attr'), (38, 'fs'), (39, 'fs_base'), (40, 'fs_limit'), (41, 'fs_attr'),
    (42, 'gs'), (43, 'gs_base'), (44, 'gs_limit'), (45, 'gs_attr'), (46, 'ldtr'), (47, 'ldtr_base'),
    (48, 'ldtr_limit'), (49, 'ldtr_attr'), (50, 'tr'), (51, 'tr_base'), (52, 'tr_limit'), (53, 'tr_attr')
  ) n CROSS JOIN state
);

-- What one wants to see of an exit first.
CREATE VIEW exits AS
SELECT e.id, b.vcpu, round((b.time_ns + e.d_time_ns) / 1e6, 3) AS time_ms, x.name AS reason,
  iif(s.rip IS NULL, NULL, printf('0x%x', s.rip)) AS rip_hex, i.text AS insn,
  iif(coalesce(e.qualification, s.qualification) IS NULL, NULL,
    printf('0x%x', coalesce(e.qualification, s.qualification))) AS qualification_hex,
  iif(e.d_gpa IS NULL, NULL, printf('0x%x', b.gpa + e.d_gpa)) AS gpa_hex,
  iif(e.d_gla IS NULL, NULL, printf('0x%x', b.gla + e.d_gla)) AS gla_hex,
  iif(k.cr3 IS NULL, NULL, printf('0x%x', k.cr3)) AS cr3_hex,
  s.reason & 0xffff AS basic_reason, s.rip, coalesce(e.qualification, s.qualification) AS qualification,
  b.gpa + e.d_gpa AS gpa, b.gla + e.d_gla AS gla, k.cr3,
  b.time_ns + e.d_time_ns AS time_ns, b.run, x.vendor
FROM exit e
JOIN block b ON b.id = e.block
JOIN site s ON s.id = e.site
JOIN kept k ON k.id = e.kept
LEFT JOIN exit_reason x ON x.reason = s.reason & 0xffff
LEFT JOIN insn i ON i.id = s.insn;

-- How often each exit reason was met, and where; at once, also while recording.
CREATE VIEW reasons AS
SELECT coalesce(x.name, 'reason ' || (s.reason & 0xffff), 'not known') AS reason, sum(s.exits) AS exits,
  min(s.first_exit) AS first, max(s.last_exit) AS last, count(DISTINCT s.rip) AS places,
  s.reason & 0xffff AS basic_reason
FROM site s LEFT JOIN exit_reason x ON x.reason = s.reason & 0xffff
GROUP BY s.reason & 0xffff ORDER BY exits DESC;

CREATE VIEW places AS
SELECT iif(s.rip IS NULL, NULL, printf('0x%x', s.rip)) AS rip_hex, i.text AS insn, x.name AS reason,
  sum(s.exits) AS exits, min(s.first_exit) AS first, max(s.last_exit) AS last,
  s.rip, s.reason & 0xffff AS basic_reason
FROM site s
LEFT JOIN exit_reason x ON x.reason = s.reason & 0xffff
LEFT JOIN insn i ON i.id = s.insn
GROUP BY s.rip, s.reason & 0xffff ORDER BY exits DESC;

-- CPUID: the leaf asked for, and what the guest was told.
CREATE VIEW cpuid AS
SELECT id, vcpu,
  iif(leaf IS NULL, NULL, printf('0x%x', leaf)) AS leaf_hex,
  iif(subleaf IS NULL, NULL, printf('0x%x', subleaf)) AS subleaf_hex,
  iif(eax IS NULL, NULL, printf('0x%x', eax)) AS eax_hex,
  iif(ebx IS NULL, NULL, printf('0x%x', ebx)) AS ebx_hex,
  iif(ecx IS NULL, NULL, printf('0x%x', ecx)) AS ecx_hex,
  iif(edx IS NULL, NULL, printf('0x%x', edx)) AS edx_hex,
  rip_hex, insn, moved, leaf, subleaf, eax, ebx, ecx, edx, rip, run
FROM (SELECT *, rax & 0xffffffff AS leaf, rcx & 0xffffffff AS subleaf,
        iif(moved, after_rax & 0xffffffff, NULL) AS eax,
        iif(moved, after_rbx & 0xffffffff, NULL) AS ebx,
        iif(moved, after_rcx & 0xffffffff, NULL) AS ecx,
        iif(moved, after_rdx & 0xffffffff, NULL) AS edx
      FROM state WHERE basic_reason IN (10, 0x1072));

-- IN, OUT, INS, OUTS.  Of a string operation: where its memory is (on VMX) and how many were left
-- to do.
-- Source: Intel SDM, "Exit Qualification for I/O Instructions"; AMD APM 2, "IOIO Intercept".
CREATE VIEW io AS
SELECT id, vcpu, iif(port IS NULL, NULL, printf('0x%x', port)) AS port_hex,
  CASE inward WHEN 0 THEN 'out' WHEN 1 THEN 'in' END AS direction, size,
  iif(value IS NULL, NULL, printf('0x%x', value)) AS value_hex,
  string, rep, count, iif(address IS NULL, NULL, printf('0x%x', address)) AS address_hex,
  rip_hex, insn, moved, port, value, address, rip, run
FROM (SELECT *,
        CASE WHEN string OR inward IS NULL THEN NULL
          WHEN NOT inward THEN rax & ((1 << 8 * size) - 1)
          WHEN moved THEN after_rax & ((1 << 8 * size) - 1) END AS value,
        CASE WHEN NOT string THEN NULL WHEN rep THEN rcx WHEN NOT rep THEN 1 END AS count,
        iif(string, gla, NULL) AS address
      FROM (SELECT *, qualification >> 16 & 0xffff AS port,
              iif(basic_reason = 30, qualification >> 3 & 1, qualification & 1) AS inward,
              iif(basic_reason = 30, (qualification & 7) + 1, qualification >> 4 & 7) AS size,
              iif(basic_reason = 30, qualification >> 4 & 1, qualification >> 2 & 1) AS string,
              iif(basic_reason = 30, qualification >> 5 & 1, qualification >> 3 & 1) AS rep
            FROM state WHERE basic_reason IN (30, 0x107b)));

-- RDMSR and WRMSR: the value written, or the one that the guest was given.
CREATE VIEW msr AS
SELECT id, vcpu, direction, iif(msr IS NULL, NULL, printf('0x%x', msr)) AS msr_hex,
  iif(value IS NULL, NULL, printf('0x%x', value)) AS value_hex,
  rip_hex, insn, moved, msr, value, rip, run
FROM (SELECT *, rcx & 0xffffffff AS msr,
        CASE WHEN direction = 'write' THEN (rdx << 32) | (rax & 0xffffffff)
          WHEN moved THEN (after_rdx << 32) | (after_rax & 0xffffffff) END AS value
      FROM (SELECT *, CASE basic_reason WHEN 31 THEN 'read' WHEN 32 THEN 'write'
              ELSE CASE qualification & 1 WHEN 0 THEN 'read' WHEN 1 THEN 'write' END
              END AS direction
            FROM state WHERE basic_reason IN (31, 32, 0x107c)));

-- Accesses to CR0, CR3, CR4 and CR8.  after: the control register as the guest goes on.  On SVM
-- CLTS and LMSW are writes of a value that is not told, SMSW such a read.
-- Source: Intel SDM, "Exit Qualification for Control-Register Accesses"; AMD APM 2, "MOV CRx".
CREATE VIEW cr_access AS
SELECT id, vcpu, 'cr' || cr AS register, access,
  iif(value IS NULL, NULL, printf('0x%x', value)) AS value_hex,
  iif(before IS NULL, NULL, printf('0x%x', before)) AS before_hex,
  iif(after IS NULL, NULL, printf('0x%x', after)) AS after_hex,
  rip_hex, insn, moved, cr, value, before, after, rip, run
FROM (SELECT *,
        CASE access
        WHEN 'write' THEN CASE gpr
          WHEN 0 THEN rax WHEN 1 THEN rcx WHEN 2 THEN rdx WHEN 3 THEN rbx WHEN 4 THEN rsp
          WHEN 5 THEN rbp WHEN 6 THEN rsi WHEN 7 THEN rdi WHEN 8 THEN r8 WHEN 9 THEN r9
          WHEN 10 THEN r10 WHEN 11 THEN r11 WHEN 12 THEN r12 WHEN 13 THEN r13
          WHEN 14 THEN r14 WHEN 15 THEN r15 END
        WHEN 'read' THEN CASE iif(moved, gpr, NULL)
          WHEN 0 THEN after_rax WHEN 1 THEN after_rcx WHEN 2 THEN after_rdx WHEN 3 THEN after_rbx WHEN 4 THEN after_rsp
          WHEN 5 THEN after_rbp WHEN 6 THEN after_rsi WHEN 7 THEN after_rdi WHEN 8 THEN after_r8 WHEN 9 THEN after_r9
          WHEN 10 THEN after_r10 WHEN 11 THEN after_r11 WHEN 12 THEN after_r12 WHEN 13 THEN after_r13
          WHEN 14 THEN after_r14 WHEN 15 THEN after_r15 END
        WHEN 'lmsw' THEN qualification >> 16 & 0xffff END AS value,
        CASE cr WHEN 0 THEN cr0 WHEN 3 THEN cr3 WHEN 4 THEN cr4 END AS before,
        CASE cr WHEN 0 THEN after_cr0 WHEN 3 THEN after_cr3 WHEN 4 THEN after_cr4 END AS after
      FROM (SELECT *,
              CASE basic_reason WHEN 28 THEN qualification & 15 WHEN 0x1065 THEN 0
                ELSE basic_reason & 15 END AS cr,
              CASE WHEN basic_reason = 28 THEN qualification >> 8 & 15
                WHEN qualification < 0 THEN qualification & 15 END AS gpr, -- bit 63
              CASE WHEN basic_reason <> 28 THEN iif(basic_reason < 0x1010, 'read', 'write')
                ELSE CASE qualification >> 4 & 3 WHEN 0 THEN 'write' WHEN 1 THEN 'read'
                  WHEN 2 THEN 'clts' WHEN 3 THEN 'lmsw' END END AS access
            FROM state WHERE basic_reason IN (28, 0x1065)
              OR basic_reason BETWEEN 0x1000 AND 0x101f));

-- MOV to and from debug registers.  SVM does not tell the general register that takes part.
-- Source: Intel SDM, "Exit Qualification for MOV DR"; AMD APM 2, "MOV DRx".
CREATE VIEW dr_access AS
SELECT id, vcpu, 'dr' || dr AS register, access,
  iif(value IS NULL, NULL, printf('0x%x', value)) AS value_hex,
  rip_hex, insn, moved, dr, value, rip, run
FROM (SELECT *,
        CASE access
        WHEN 'write' THEN CASE gpr
          WHEN 0 THEN rax WHEN 1 THEN rcx WHEN 2 THEN rdx WHEN 3 THEN rbx WHEN 4 THEN rsp
          WHEN 5 THEN rbp WHEN 6 THEN rsi WHEN 7 THEN rdi WHEN 8 THEN r8 WHEN 9 THEN r9
          WHEN 10 THEN r10 WHEN 11 THEN r11 WHEN 12 THEN r12 WHEN 13 THEN r13
          WHEN 14 THEN r14 WHEN 15 THEN r15 END
        WHEN 'read' THEN CASE iif(moved, gpr, NULL)
          WHEN 0 THEN after_rax WHEN 1 THEN after_rcx WHEN 2 THEN after_rdx WHEN 3 THEN after_rbx WHEN 4 THEN after_rsp
          WHEN 5 THEN after_rbp WHEN 6 THEN after_rsi WHEN 7 THEN after_rdi WHEN 8 THEN after_r8 WHEN 9 THEN after_r9
          WHEN 10 THEN after_r10 WHEN 11 THEN after_r11 WHEN 12 THEN after_r12 WHEN 13 THEN after_r13
          WHEN 14 THEN after_r14 WHEN 15 THEN after_r15 END END AS value
      FROM (SELECT *, iif(basic_reason = 29, qualification & 7, basic_reason & 15) AS dr,
              iif(basic_reason = 29, qualification >> 8 & 15, NULL) AS gpr,
              CASE WHEN basic_reason <> 29 THEN iif(basic_reason < 0x1030, 'read', 'write')
                ELSE CASE qualification >> 4 & 1 WHEN 0 THEN 'write' WHEN 1 THEN 'read' END
                END AS access
            FROM state WHERE basic_reason = 29 OR basic_reason BETWEEN 0x1020 AND 0x103f));

-- EPT violations, on SVM nested page faults.  walk: the access was to a page-table entry while an
-- address (on VMX gla) was translated.
-- Source: Intel SDM, "Exit Qualification for EPT Violations"; AMD APM 2, "Nested Paging".
CREATE VIEW ept_violation AS
SELECT id, vcpu, iif(gpa IS NULL, NULL, printf('0x%x', gpa)) AS gpa_hex,
  rtrim(iif(read, 'read ', '') || iif(write, 'write ', '') || iif(fetch, 'fetch', '')) AS access,
  iif(gla IS NULL, NULL, printf('0x%x', gla)) AS gla_hex, walk,
  rip_hex, insn, read, write, fetch, gpa, gpa >> 12 AS gfn, gla, rip, run
FROM (SELECT id, run, vcpu, insn, rip, rip_hex, gpa, qualification & 1 AS read,
        qualification >> 1 & 1 AS write, qualification >> 2 & 1 AS fetch,
        iif(qualification >> 7 & 1, gla, NULL) AS gla,
        iif(qualification >> 7 & 1, NOT (qualification >> 8 & 1), NULL) AS walk
      FROM state WHERE basic_reason = 48
      UNION ALL
      SELECT id, run, vcpu, insn, rip, rip_hex, gpa, qualification & 0x12 = 0,
        qualification >> 1 & 1, qualification >> 4 & 1, NULL, qualification >> 33 & 1
      FROM state WHERE basic_reason = 0x1400);

-- Exceptions and NMIs that exit.
-- Source: Intel SDM, "VM-Exit Interruption Information"; AMD APM 2, "Exception Intercepts".
CREATE VIEW exception AS
SELECT id, vcpu, coalesce(CASE vector
    WHEN 0 THEN '#DE' WHEN 1 THEN '#DB' WHEN 2 THEN 'NMI' WHEN 3 THEN '#BP'
    WHEN 4 THEN '#OF' WHEN 5 THEN '#BR' WHEN 6 THEN '#UD' WHEN 7 THEN '#NM'
    WHEN 8 THEN '#DF' WHEN 10 THEN '#TS' WHEN 11 THEN '#NP' WHEN 12 THEN '#SS'
    WHEN 13 THEN '#GP' WHEN 14 THEN '#PF' WHEN 16 THEN '#MF' WHEN 17 THEN '#AC'
    WHEN 18 THEN '#MC' WHEN 19 THEN '#XM' WHEN 20 THEN '#VE' WHEN 21 THEN '#CP'
    WHEN 28 THEN '#HV' WHEN 29 THEN '#VC' WHEN 30 THEN '#SX' END, 'vector ' || vector) AS name,
  error_code, iif(address IS NULL, NULL, printf('0x%x', address)) AS address_hex,
  rip_hex, insn, vector,
  CASE type
    WHEN 0 THEN 'external interrupt' WHEN 2 THEN 'NMI' WHEN 3 THEN 'hardware exception'
    WHEN 4 THEN 'software interrupt' WHEN 5 THEN 'privileged software exception'
    WHEN 6 THEN 'software exception' END AS type,
  address, rip, run
FROM (SELECT id, run, vcpu, insn, rip, rip_hex, intr_info & 0xff AS vector,
        intr_info >> 8 & 7 AS type, iif(intr_info >> 11 & 1, intr_error, NULL) AS error_code,
        iif(intr_info & 0xff = 14, qualification, NULL) AS address
      FROM state WHERE basic_reason = 0
      UNION ALL
      SELECT id, run, vcpu, insn, rip, rip_hex, basic_reason & 31,
        CASE basic_reason & 31 WHEN 2 THEN 2 WHEN 3 THEN 6 WHEN 4 THEN 6 ELSE 3 END, qualification,
        gla
      FROM state WHERE basic_reason BETWEEN 0x1040 AND 0x105f);

-- What the VM entry before an exit injected into the guest.
-- Source: Intel SDM, "VM-Entry Controls for Event Injection"; AMD APM 2, "Event Injection".
CREATE VIEW injection AS
SELECT id, vcpu, entry_intr_info & 0xff AS vector,
  CASE entry_intr_info >> 8 & 7
    WHEN 0 THEN 'external interrupt' WHEN 2 THEN 'NMI' WHEN 3 THEN 'hardware exception'
    WHEN 4 THEN 'software interrupt' WHEN 5 THEN 'privileged software exception'
    WHEN 6 THEN 'software exception' END AS type,
  iif(entry_intr_info >> 11 & 1, entry_error, NULL) AS error_code,
  rip_hex, insn, rip, run
FROM state WHERE entry_intr_info >> 31 & 1;

-- VMCALL or VMMCALL as Xen's guests use it.  Arguments by the calling convention of the mode it came from.
-- Source: Xen, public/xen.h and public/arch-x86/xen-x86_64.h, xen-x86_32.h.
CREATE VIEW hypercall AS
SELECT id, vcpu, CASE number
    WHEN 0 THEN 'set_trap_table' WHEN 1 THEN 'mmu_update' WHEN 2 THEN 'set_gdt'
    WHEN 3 THEN 'stack_switch' WHEN 4 THEN 'set_callbacks' WHEN 5 THEN 'fpu_taskswitch'
    WHEN 7 THEN 'platform_op' WHEN 8 THEN 'set_debugreg' WHEN 9 THEN 'get_debugreg'
    WHEN 10 THEN 'update_descriptor' WHEN 12 THEN 'memory_op' WHEN 13 THEN 'multicall'
    WHEN 14 THEN 'update_va_mapping' WHEN 15 THEN 'set_timer_op' WHEN 17 THEN 'xen_version'
    WHEN 18 THEN 'console_io' WHEN 20 THEN 'grant_table_op' WHEN 21 THEN 'vm_assist'
    WHEN 22 THEN 'update_va_mapping_otherdomain' WHEN 23 THEN 'iret' WHEN 24 THEN 'vcpu_op'
    WHEN 25 THEN 'set_segment_base' WHEN 26 THEN 'mmuext_op' WHEN 27 THEN 'xsm_op'
    WHEN 28 THEN 'nmi_op' WHEN 29 THEN 'sched_op' WHEN 30 THEN 'callback_op'
    WHEN 31 THEN 'xenoprof_op' WHEN 32 THEN 'event_channel_op' WHEN 33 THEN 'physdev_op'
    WHEN 34 THEN 'hvm_op' WHEN 35 THEN 'sysctl' WHEN 36 THEN 'domctl' WHEN 37 THEN 'kexec_op'
    WHEN 38 THEN 'tmem_op' WHEN 39 THEN 'argo_op' WHEN 40 THEN 'xenpmu_op' WHEN 41 THEN 'dm_op'
    WHEN 42 THEN 'hypfs_op' END AS name,
  iif(arg1 IS NULL, NULL, printf('0x%x', arg1)) AS arg1_hex,
  iif(arg2 IS NULL, NULL, printf('0x%x', arg2)) AS arg2_hex,
  iif(arg3 IS NULL, NULL, printf('0x%x', arg3)) AS arg3_hex,
  iif(arg4 IS NULL, NULL, printf('0x%x', arg4)) AS arg4_hex,
  iif(arg5 IS NULL, NULL, printf('0x%x', arg5)) AS arg5_hex, result,
  rip_hex, insn, moved, number, arg1, arg2, arg3, arg4, arg5, long_mode, rip, run
FROM (SELECT *, iif(long_mode, rax, rax & 0xffffffff) AS number,
        iif(long_mode, rdi, rbx & 0xffffffff) AS arg1,
        iif(long_mode, rsi, rcx & 0xffffffff) AS arg2,
        iif(long_mode, rdx, rdx & 0xffffffff) AS arg3,
        iif(long_mode, r10, rsi & 0xffffffff) AS arg4,
        iif(long_mode, r8, rdi & 0xffffffff) AS arg5,
        CASE WHEN moved AND long_mode THEN after_rax
          WHEN moved THEN ((after_rax & 0xffffffff) << 32) >> 32 END AS result
      FROM (SELECT *, coalesce((efer >> 10) & (cs_attr >> 9) & 1, 1) AS long_mode FROM state
            WHERE basic_reason IN (18, 0x1081)));

-- RDTSC and RDTSCP that exit: the time that the guest was told.
CREATE VIEW tsc_read AS
SELECT id, vcpu, kind, iif(value IS NULL, NULL, printf('0x%x', value)) AS value_hex, aux,
  rip_hex, insn, moved, value, rip, run
FROM (SELECT *, iif(basic_reason IN (16, 0x106e), 'rdtsc', 'rdtscp') AS kind,
        iif(moved, (after_rdx << 32) | (after_rax & 0xffffffff), NULL) AS value,
        iif(moved AND basic_reason IN (51, 0x1087), after_rcx & 0xffffffff, NULL) AS aux
      FROM state WHERE basic_reason IN (16, 51, 0x106e, 0x1087));

-- XSETBV.
CREATE VIEW xsetbv AS
SELECT id, vcpu, rcx & 0xffffffff AS register,
  iif((rdx << 32) | (rax & 0xffffffff) IS NULL, NULL, printf('0x%x', (rdx << 32) | (rax & 0xffffffff))) AS value_hex,
  rip_hex, insn, moved, (rdx << 32) | (rax & 0xffffffff) AS value, rip, run
FROM state WHERE basic_reason IN (55, 0x108d);

-- Accesses to the local APIC's page (on SVM they are nested page faults).
-- Source: Intel SDM, "Exit Qualification for APIC-Access VM Exits".
CREATE VIEW apic_access AS
SELECT id, vcpu, iif(qualification & 0xfff IS NULL, NULL, printf('0x%x', qualification & 0xfff)) AS offset_hex,
  CASE qualification >> 12 & 15
    WHEN 0 THEN 'read' WHEN 1 THEN 'write' WHEN 2 THEN 'fetch' WHEN 3 THEN 'event delivery'
    WHEN 10 THEN 'physical, event delivery' WHEN 15 THEN 'physical' END AS access,
  rip_hex, insn, qualification & 0xfff AS offset, rip, run
FROM state WHERE basic_reason = 44;

-- LGDT, SIDT and the like.
-- Source: Intel SDM, "VM-Exit Instruction Information", for LIDT ... and LLDT ...
CREATE VIEW descriptor_access AS
SELECT id, vcpu,
  CASE iif(basic_reason < 0x1000, basic_reason * 4 + (insn_info >> 28 & 3), basic_reason)
    WHEN 184 THEN 'sgdt' WHEN 185 THEN 'sidt' WHEN 186 THEN 'lgdt' WHEN 187 THEN 'lidt'
    WHEN 188 THEN 'sldt' WHEN 189 THEN 'str' WHEN 190 THEN 'lldt' WHEN 191 THEN 'ltr'
    WHEN 0x1066 THEN 'sidt' WHEN 0x1067 THEN 'sgdt' WHEN 0x1068 THEN 'sldt' WHEN 0x1069 THEN 'str'
    WHEN 0x106a THEN 'lidt' WHEN 0x106b THEN 'lgdt' WHEN 0x106c THEN 'lldt' WHEN 0x106d THEN 'ltr'
    END AS kind,
  rip_hex, insn, rip, run
FROM state WHERE basic_reason IN (46, 47) OR basic_reason BETWEEN 0x1066 AND 0x106d;

-- Hardware task switches.
-- Source: Intel SDM, "Exit Qualification for Task Switches"; AMD APM 2, "Task Switch Intercept".
CREATE VIEW task_switch AS
SELECT id, vcpu,
  iif(qualification IS NULL, NULL, printf('0x%x', qualification & 0xffff)) AS selector_hex,
  CASE WHEN basic_reason = 9 THEN CASE qualification >> 30 & 3
      WHEN 0 THEN 'call' WHEN 1 THEN 'iret' WHEN 2 THEN 'jmp' WHEN 3 THEN 'task gate' END
    WHEN qualification >> 36 & 1 THEN 'iret' WHEN qualification >> 38 & 1 THEN 'jmp'
    WHEN idt_info >> 31 & 1 THEN 'task gate' WHEN qualification IS NOT NULL THEN 'call' END AS cause,
  rip_hex, insn, moved, qualification & 0xffff AS selector, rip, run
FROM state WHERE basic_reason IN (9, 0x107d);

-- Each new content of a guest page: seen at that exit, so written since the exit before it (where
-- run.memory is 'frames': since the frame before it).
CREATE VIEW memory_write AS
SELECT v.exit AS id, b.vcpu, iif(v.gfn << 12 IS NULL, NULL, printf('0x%x', v.gfn << 12)) AS gpa_hex,
  round((b.time_ns + e.d_time_ns) / 1e6, 3) AS time_ms, x.name AS reason,
  iif(s.rip IS NULL, NULL, printf('0x%x', s.rip)) AS rip_hex, i.text AS insn,
  v.gfn, v.page, s.rip, v.run
FROM page_version v
JOIN exit e ON e.id = v.exit
JOIN block b ON b.id = e.block
JOIN site s ON s.id = e.site
LEFT JOIN exit_reason x ON x.reason = s.reason & 0xffff
LEFT JOIN insn i ON i.id = s.insn
WHERE v.exit > 0
  -- A page that became the fork's own without being changed has a row too.
  AND v.page IS NOT coalesce(
    (SELECT p.page FROM page_version p WHERE p.run = v.run AND p.gfn = v.gfn
     AND p.exit < v.exit ORDER BY p.exit DESC LIMIT 1),
    (SELECT p.page FROM page_version p JOIN run r ON r.base_run = p.run
     WHERE r.id = v.run AND p.gfn = v.gfn AND p.exit = 0));

-- Each run: how it stopped, which path it took, and which run took that path first.
CREATE VIEW runs AS
SELECT r.id, r.last_exit - r.first_exit + 1 AS exits, r.stop, r.stop_detail,
  iif(r.path IS NULL, NULL, printf('%016x', r.path)) AS path_hex,
  iif(r.path IS NULL, NULL, min(r.id) OVER (PARTITION BY r.path)) AS same_as,
  (SELECT group_concat(i.name, ' ') FROM input i WHERE i.run = r.id) AS input,
  round((r.end_unix_ns - r.start_unix_ns) / 1e6, 3) AS duration_ms, r.mode, r.path,
  r.first_exit, r.last_exit
FROM run r;
