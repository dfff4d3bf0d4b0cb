/* SPDX-License-Identifier: MIT */
/* doctor.c - what this host offers to each mode, as a list of findings.
 *
 * A fix is named only for what is missing, and the narrowest comes first: access to the
 * device for one user, before the switch that opens userfaultfd to everybody.  File
 * capabilities on the command are no fix: they would not pass to the program that it
 * starts. */
#include "cli/doctor.h"

#include "cli/host.h"
#include "cli/library.h"
#include "cli/sizes.h"
#include "cli/swap_place.h"
#include "ports/linux/features.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define DEVICE	 "/dev/userfaultfd"
#define SYSCTL	 "vm.unprivileged_userfaultfd"
#define SWITCH	 "/proc/sys/vm/unprivileged_userfaultfd"
#define THP	 "/sys/kernel/mm/transparent_hugepage/enabled"
#define MAPS_MAX "/proc/sys/vm/max_map_count"

/* Each hole in the paged window may split a mapping of the host's. */
#define MAPS_WANTED 65530u

static struct qr_finding *add(struct qr_findings *findings, const char *mode,
			      const char *check, bool good, bool needed)
{
	struct qr_finding *f = &findings->list[findings->nr];

	if (findings->nr + 1 < QR_FINDINGS_MAX)
		findings->nr++;
	*f = (struct qr_finding){.mode = mode, .good = good, .needed = needed};
	(void)snprintf(f->check, sizeof(f->check), "%s", check);
	return f;
}

static void detail(struct qr_finding *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
static void fix(struct qr_finding *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void detail(struct qr_finding *f, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(f->detail, sizeof(f->detail), format, ap);
	va_end(ap);
}

/* Only what is missing has a fix. */
static void fix(struct qr_finding *f, const char *format, ...)
{
	va_list ap;

	if (f->good)
		return;
	va_start(ap, format);
	(void)vsnprintf(f->fix, sizeof(f->fix), format, ap);
	va_end(ap);
}

static const char *user_name(void)
{
	static const char nobody[] = "$USER";
	const struct passwd *user = getpwuid(geteuid());

	return user ? user->pw_name : nobody;
}

static bool has_ptrace_capability(void)
{
	char text[4096];
	const char *at;

	if (!qr_host_read("/proc/self/status", text, sizeof(text)))
		return false;
	at = strstr(text, "\nCapEff:");
	return at && (strtoull(at + strlen("\nCapEff:"), NULL, 16) >> CAP_SYS_PTRACE & 1);
}

/* What every run stands on, by one of the two ways below. */
static void find_kernel_faults(struct qr_findings *findings, uint32_t features)
{
	bool works = features & QUIRE_FEATURE_KERNEL_FAULTS;
	struct qr_finding *f = add(findings, "run", "kernel-faults", works, true);

	if (works)
		detail(f, "faults inside system calls can be served");
	else if (features & QUIRE_FEATURE_USER_FAULTS)
		detail(f, "this user may not serve faults inside system calls");
	else
		detail(f, "this kernel has no userfaultfd, or a container's filter "
			  "forbids it");
	if (access(DEVICE, F_OK) == 0)
		fix(f, "sudo setfacl -m u:%s:rw " DEVICE, user_name());
	else if (features & QUIRE_FEATURE_USER_FAULTS)
		fix(f, "sudo sysctl " SYSCTL "=1");
	else
		fix(f, "a kernel with CONFIG_USERFAULTFD; in a container: --cap-add "
		       "SYS_PTRACE");
}

static void find_syscall(struct qr_findings *findings, uint32_t features)
{
	struct qr_finding *f = add(findings, "run", "syscall",
				   features & QUIRE_FEATURE_BY_SYSCALL, false);
	uint64_t value = 0;

	if (qr_host_number(SWITCH, &value))
		detail(f, "userfaultfd(2): CAP_SYS_PTRACE %s, " SYSCTL " = %" PRIu64,
		       has_ptrace_capability() ? "yes" : "no", value);
	else
		detail(f, "userfaultfd(2): CAP_SYS_PTRACE %s",
		       has_ptrace_capability() ? "yes" : "no");
	if (!(features & QUIRE_FEATURE_KERNEL_FAULTS))
		fix(f, "sudo sysctl " SYSCTL "=1   (or run as root)");
}

static void find_device(struct qr_findings *findings, uint32_t features)
{
	struct qr_finding *f =
		add(findings, "run", "device", features & QUIRE_FEATURE_BY_DEVICE, false);
	struct stat st;

	if (stat(DEVICE, &st) != 0) {
		detail(f, DEVICE ": %s (it is there from Linux 6.1 on)", strerror(errno));
		return;
	}
	detail(f, DEVICE ": mode %04o, owner %u:%u", st.st_mode & 07777u, st.st_uid,
	       st.st_gid);
	if (!(features & QUIRE_FEATURE_KERNEL_FAULTS))
		fix(f, "sudo chmod 0666 " DEVICE "   (for every user)");
}

/* What libquire.so uses when it is there, and what it cannot do without. */
static void find_features(struct qr_findings *findings, uint32_t features)
{
	const uint32_t privileges = QUIRE_FEATURE_KERNEL_FAULTS |
				    QUIRE_FEATURE_BY_SYSCALL | QUIRE_FEATURE_BY_DEVICE;

	for (const struct quire_feature_name *n = qr_feature_names; n->bit; n++) {
		struct qr_finding *f;

		if (n->bit & privileges)
			continue;
		f = add(findings, "run", n->name, features & n->bit,
			n->bit == QUIRE_FEATURE_WP);
		detail(f, "%s", n->what);
	}
}

static void find_library(struct qr_findings *findings)
{
	static const char *const modes[] = {"run", "preload"};
	char path[PATH_MAX], why[PATH_MAX + 128];
	bool found = qr_library_find(path, why, sizeof(why));

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct qr_finding *f = add(findings, modes[i], "library", found, true);

		detail(f, "%.500s", found ? path : why);
	}
}

static void find_memory(struct qr_findings *findings)
{
	struct qr_host_memory memory = qr_host_memory("");
	struct qr_finding *f = add(findings, "host", "memory", true, false);
	char total[QR_SIZE_TEXT], limit[QR_SIZE_TEXT];

	(void)qr_size_show(memory.total, total);
	if (memory.cgroup)
		detail(f, "%s, of which a memory cgroup grants %s", total,
		       qr_size_show(memory.cgroup, limit));
	else
		detail(f, "%s, no limit by a memory cgroup", total);
}

static void find_huge_pages(struct qr_findings *findings)
{
	struct qr_finding *f;
	char text[128];

	if (!qr_host_read(THP, text, sizeof(text)))
		(void)snprintf(text, sizeof(text), "not there");
	text[strcspn(text, "\n")] = '\0';
	f = add(findings, "host", "huge-pages", true, false);
	detail(f, "transparent huge pages: %s (paged memory has them off)", text);
}

static void find_map_count(struct qr_findings *findings)
{
	uint64_t value = 0;
	bool there = qr_host_number(MAPS_MAX, &value);
	struct qr_finding *f = add(findings, "host", "max_map_count",
				   there && value >= MAPS_WANTED, false);

	detail(f, "vm.max_map_count = %" PRIu64, value);
	fix(f, "sudo sysctl vm.max_map_count=%u", MAPS_WANTED);
}

static void find_swap_place(struct qr_findings *findings)
{
	struct qr_swap_place place;
	bool good = qr_swap_place_default(&place);
	struct qr_finding *f =
		add(findings, "host", "swap-folder", good && !place.in_memory, false);
	char room[QR_SIZE_TEXT];

	if (!good) {
		detail(f, "%.500s", place.fault);
		fix(f, "export TMPDIR=FOLDER   (one that can be written)");
		return;
	}
	detail(f, "%.300s: %s free, O_DIRECT %s%s", place.path,
	       qr_size_show(place.free, room), place.direct ? "yes" : "no",
	       place.in_memory ? "; it lives in RAM, swapping there frees none" : "");
	fix(f, "export TMPDIR=/var/tmp");
}

static void find_kernel(struct qr_findings *findings)
{
	struct qr_finding *f = add(findings, "host", "kernel", true, false);
	struct utsname name;

	if (uname(&name) == 0)
		detail(f, "%s %s %s, %" PRIu32 " CPUs", name.sysname, name.release,
		       name.machine, qr_host_cpus());
}

void qr_doctor_find(struct qr_findings *findings)
{
	uint32_t features = qr_features_probe();

	findings->nr = 0;
	find_kernel(findings);
	find_memory(findings);
	find_huge_pages(findings);
	find_map_count(findings);
	find_swap_place(findings);
	find_kernel_faults(findings, features);
	find_syscall(findings, features);
	find_device(findings, features);
	find_features(findings, features);
	find_library(findings);
}

bool qr_doctor_works(const struct qr_findings *findings, const char *mode)
{
	for (size_t i = 0; i < findings->nr; i++) {
		const struct qr_finding *f = &findings->list[i];

		if (strcmp(f->mode, mode) == 0 && f->needed && !f->good)
			return false;
	}
	return true;
}
