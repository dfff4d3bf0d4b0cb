/* SPDX-License-Identifier: MIT */
/* start.c - the library comes into a process.
 *
 * Without QUIRE_RUN in the environment it is a heap and nothing else.  With it the
 * machine is built before the program's first instruction; where that cannot be, the
 * program that `quire run` started ends with a line that says why, and a program further
 * down the tree goes on without a machine, which the segment notes. */
#include "core/base/assert.h"
#include "heap/heap.h"
#include "ports/codec/lz4.h"
#include "ports/linux/careful.h"
#include "ports/linux/doorbell.h"
#include "ports/linux/enter.h"
#include "ports/linux/environment.h"
#include "ports/linux/fork.h"
#include "ports/linux/ground.h"
#include "ports/linux/handler.h"
#include "ports/linux/heap_pages.h"
#include "ports/linux/place.h"
#include "ports/linux/port_ops.h"
#include "ports/linux/seat.h"
#include "ports/linux/sys.h"
#include "ports/linux/window.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define EXIT_QUIRE 125

_Noreturn static void end_process(void)
{
	for (;;)
		(void)qr_sys(SYS_exit_group, EXIT_QUIRE, 0, 0, 0, 0, 0);
}

static void refuse(const char *why)
{
	long parent = qr_sys(SYS_getppid, 0, 0, 0, 0, 0, 0);

	qr_seat_leave(why);
	if (parent == qr_ground.settings.supervisor)
		end_process();
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A path that names no folder names a file in one; ours have no names at all. */
static void choose_swap_folder(void)
{
	const char *path = qr_ground.settings.swap_path, *named = getenv("TMPDIR");
	char *slash;

	if (path[0] == '\0')
		path = named != NULL && named[0] == '/' ? named : "/tmp";
	if (strlen(path) >= sizeof(qr_ground.swap_folder))
		path = "/tmp";
	strcpy(qr_ground.swap_folder, path);
	slash = strrchr(qr_ground.swap_folder, '/');
	if (!is_folder(qr_ground.swap_folder) && slash != NULL)
		slash[slash == qr_ground.swap_folder] = '\0';
}

/* Whoever hands on a descriptor that bypasses the page cache hands on what it may do. */
static void look_at_inherited(void)
{
	for (int fd = 0; fd < 3; fd++) {
		long flags = qr_host_fcntl(fd, F_GETFL, 0);

		if (!qr_failed(flags) && (flags & O_DIRECT) != 0)
			qr_careful_begin(false);
	}
}

static void init_parts(void)
{
	const struct quire_port *port = &qr_ground.port;

	qr_ranges_init(&qr_ground.foreign, port);
	qr_ranges_init(&qr_ground.host_anon, port);
	qr_ranges_init(&qr_ground.no_fork, port);
	qr_ranges_init(&qr_ground.wipe_fork, port);
	qr_doorbell_init();
	qr_careful_init();
	qr_fork_init();
	qr_place_init();
}

static const char *open_machine(void)
{
	const struct quire_settings *s = &qr_ground.settings;

	qr_ground.config = (struct quire_config){
		.codec = qr_codec_lz4(),
		.swap = s->swap,
		.store_bytes = s->store_bytes,
		.nr_lanes = qr_place_lanes(),
		.has_writer = s->swap == QUIRE_SWAP_FILE,
		.has_daemon = s->swap != QUIRE_SWAP_NONE && qr_place_lanes() > 1,
		.stats = &qr_ground.seat->stats,
	};
	switch (quire_open(&qr_ground.q, &qr_ground.port, &qr_ground.config)) {
	case QUIRE_OK:
		return NULL;
	case QUIRE_NO_MEMORY:
		return "--ram is too small for this host's number of processors";
	default:
		return "the machine's settings are out of range";
	}
}

static const char *build(void)
{
	const char *fault;

	init_parts();
	choose_swap_folder();
	look_at_inherited();
	if (!qr_window_make(qr_ground.settings.ram_bytes, QUIRE_RESERVE_BYTES) ||
	    !qr_enter_init())
		return "no memory or no addresses for the machine";
	fault = qr_handler_start(NULL, 0);
	if (fault == NULL)
		fault = open_machine();
	if (fault != NULL)
		return fault;
	qr_ground.seat->features = qr_ground.features;
	qr_handler_go();
	qr_heap_set_pages(&qr_heap_pages_machine);
	atomic_store(&qr_ground.is_managed, true);
	return NULL;
}

static void begin(const char *settings)
{
	const struct quire_port *port = &qr_ground.port;
	const char *wrong = qr_settings_parse(&qr_ground.settings, settings);
	const char *fault = wrong == NULL ? NULL : "its settings cannot be read";
	uint64_t started, mask;

	qr_port_ops_set(&qr_ground.port);
	started = port->clock(port->ctx);
	qr_seat_attach(&qr_ground.settings);
	if (fault == NULL && !qr_environment_note(settings))
		fault = "its settings are too long";
	mask = qr_host_block_signals();
	if (fault == NULL)
		fault = build();
	qr_host_restore_signals(mask);
	if (fault != NULL)
		refuse(fault);
	qr_ground.seat->startup_ns = port->clock(port->ctx) - started;
}

static const char *find_settings(char *const *envp)
{
	static const char head[] = QUIRE_SETTINGS_VARIABLE "=";

	for (; *envp != NULL; envp++)
		if (strncmp(*envp, head, sizeof(head) - 1) == 0)
			return *envp + sizeof(head) - 1;
	return NULL;
}

__attribute__((constructor(101))) static void start(int argc, char **argv, char **envp)
{
	const char *settings = find_settings(envp);

	(void)argc;
	(void)argv;
	qr_fork_register();
	if (settings != NULL)
		begin(settings);
}
