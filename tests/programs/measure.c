/* SPDX-License-Identifier: MIT */
/* measure - run a command and record what its processes keep in memory.
 *
 *     measure [-o FILE] [-t SECONDS] [-i MILLISECONDS] -- COMMAND ARGS
 *
 * Model.  The tree of a command is every process descended from it; orphans of
 * the tree come to this process, which is its subreaper, and so stay inside it.
 * Each interval (20 ms) one walk over the tree reads the kernel's own counters
 * in /proc/PID/status.  A peak is the largest value that any one process showed:
 * `--ram` bounds each process, so sums over the tree would prove nothing.
 *
 * The record is one line of NAME=VALUE words:
 *   status   the command's exit status as a shell gives it, 124 at a time-out
 *   wall_ms  from the start to the command's end
 *   rss_kib  peak of VmHWM, and of what wait4() reports for each ended process
 *   anon_kib peak of RssAnon + RssShmem: a store kept in shared memory counts too
 *   shmem_kib the part of RssShmem at its own peak
 *   samples  walks over the tree
 *   left     processes that outlived the command by two seconds (they are killed)
 */
#define _GNU_SOURCE 1

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TREE_MAX      4096
#define LINGER_MS     2000
#define STATUS_BYTES  8192
#define EXIT_BROKEN   125
#define EXIT_TIMEOUT  124
#define EXIT_NOTFOUND 127

struct options {
	const char *out;
	long timeout_s;
	long interval_ms;
	char **command;
	sigset_t signals;
};

struct record {
	int status;
	long wall_ms;
	long rss_kib;
	long anon_kib;
	long shmem_kib;
	long samples;
	long left;
};

struct tree {
	pid_t pid[TREE_MAX];
	size_t nr;
};

static long now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void raise_to(long *peak, long value)
{
	if (value > *peak)
		*peak = value;
}

/* A process may end between the walk and the read: then there is nothing to say. */
static ssize_t read_file(const char *path, char *buf, size_t bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return -1;
	got = read(fd, buf, bytes - 1);
	close(fd);
	buf[got > 0 ? got : 0] = '\0';
	return got;
}

static long field_kib(const char *status, const char *name)
{
	const char *at = strstr(status, name);

	return at ? strtol(at + strlen(name), NULL, 10) : 0;
}

static void sample_process(pid_t pid, struct record *rec)
{
	char path[64], status[STATUS_BYTES];
	long shmem;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (read_file(path, status, sizeof(status)) <= 0)
		return;
	shmem = field_kib(status, "\nRssShmem:");
	raise_to(&rec->rss_kib, field_kib(status, "\nVmHWM:"));
	raise_to(&rec->shmem_kib, shmem);
	raise_to(&rec->anon_kib, field_kib(status, "\nRssAnon:") + shmem);
}

static void add_children_of_thread(struct tree *tree, pid_t pid, const char *tid)
{
	char path[320], list[STATUS_BYTES];
	char *at = list, *end;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/children", (int)pid, tid);
	if (read_file(path, list, sizeof(list)) <= 0)
		return;
	for (;;) {
		long child = strtol(at, &end, 10);

		if (end == at || tree->nr == TREE_MAX)
			return;
		tree->pid[tree->nr++] = (pid_t)child;
		at = end;
	}
}

static void add_children(struct tree *tree, pid_t pid)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	tasks = opendir(path);
	if (!tasks)
		return;
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			add_children_of_thread(tree, pid, entry->d_name);
	closedir(tasks);
}

/* Breadth first from this process, which is not itself part of the tree. */
static void walk_tree(struct tree *tree)
{
	tree->nr = 0;
	add_children(tree, getpid());
	for (size_t i = 0; i < tree->nr; i++)
		add_children(tree, tree->pid[i]);
}

static void sample_tree(struct tree *tree, struct record *rec)
{
	walk_tree(tree);
	for (size_t i = 0; i < tree->nr; i++)
		sample_process(tree->pid[i], rec);
	rec->samples++;
}

static int shell_status(int wait_status)
{
	if (WIFSIGNALED(wait_status))
		return 128 + WTERMSIG(wait_status);
	return WEXITSTATUS(wait_status);
}

/* Reaps whatever has ended.  True once `main_pid` is among it. */
static bool reap_ended(pid_t main_pid, struct record *rec)
{
	struct rusage usage;
	bool ended = false;
	int status;
	pid_t pid;

	while ((pid = wait4(-1, &status, WNOHANG, &usage)) > 0) {
		raise_to(&rec->rss_kib, usage.ru_maxrss);
		if (pid != main_pid)
			continue;
		rec->status = shell_status(status);
		ended = true;
	}
	return ended;
}

static void kill_tree(struct tree *tree)
{
	walk_tree(tree);
	for (size_t i = 0; i < tree->nr; i++)
		kill(tree->pid[i], SIGKILL);
}

/* The signals that this process waits for instead of being interrupted by them. */
static void block_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGHUP);
	sigprocmask(SIG_BLOCK, set, NULL);
}

/* Sleeps for one interval, less when a child ends; passes a request to end on. */
static void wait_interval(const struct options *opt, pid_t main_pid)
{
	struct timespec t = {.tv_sec = opt->interval_ms / 1000,
			     .tv_nsec = opt->interval_ms % 1000 * 1000000};
	int number = sigtimedwait(&opt->signals, NULL, &t);

	if (number > 0 && number != SIGCHLD && main_pid > 0)
		kill(main_pid, number);
}

static void watch_main(const struct options *opt, pid_t main_pid, struct record *rec)
{
	static struct tree tree;
	long start = now_ms();
	bool timed_out = false;

	while (!reap_ended(main_pid, rec)) {
		sample_tree(&tree, rec);
		if (now_ms() - start > opt->timeout_s * 1000) {
			timed_out = true;
			kill_tree(&tree);
		}
		wait_interval(opt, main_pid);
	}
	rec->wall_ms = now_ms() - start;
	if (timed_out)
		rec->status = EXIT_TIMEOUT;
}

/* What a command leaves behind gets a moment to end by itself. */
static void watch_leftovers(const struct options *opt, struct record *rec)
{
	static struct tree tree;
	long start = now_ms();

	for (;;) {
		reap_ended(-1, rec);
		sample_tree(&tree, rec);
		if (tree.nr == 0)
			return;
		if (now_ms() - start > LINGER_MS)
			break;
		wait_interval(opt, 0);
	}
	rec->left = (long)tree.nr;
	kill_tree(&tree);
}

static int write_record(const struct options *opt, const struct record *rec)
{
	FILE *out = opt->out ? fopen(opt->out, "we") : stderr;

	if (!out) {
		fprintf(stderr, "measure: %s: %s\n", opt->out, strerror(errno));
		return EXIT_BROKEN;
	}
	fprintf(out,
		"status=%d wall_ms=%ld rss_kib=%ld anon_kib=%ld shmem_kib=%ld "
		"samples=%ld left=%ld\n",
		rec->status, rec->wall_ms, rec->rss_kib, rec->anon_kib, rec->shmem_kib,
		rec->samples, rec->left);
	if (opt->out)
		fclose(out);
	return rec->status;
}

static bool parse_options(int argc, char **argv, struct options *opt)
{
	int letter;

	while ((letter = getopt(argc, argv, "+o:t:i:")) != -1) {
		if (letter == 'o')
			opt->out = optarg;
		else if (letter == 't')
			opt->timeout_s = strtol(optarg, NULL, 10);
		else if (letter == 'i')
			opt->interval_ms = strtol(optarg, NULL, 10);
		else
			return false;
	}
	opt->command = argv + optind;
	return optind < argc && opt->timeout_s > 0 && opt->interval_ms > 0;
}

/* Without the kernel's lists of children a walk would find nothing, and every
 * bound would seem kept. */
static bool tree_is_visible(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	return access(path, R_OK) == 0;
}

static pid_t start_command(const struct options *opt)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	sigprocmask(SIG_UNBLOCK, &opt->signals, NULL);
	execvp(opt->command[0], opt->command);
	fprintf(stderr, "measure: %s: %s\n", opt->command[0], strerror(errno));
	_exit(EXIT_NOTFOUND);
}

int main(int argc, char **argv)
{
	struct options opt = {.timeout_s = 900, .interval_ms = 20};
	struct record rec = {0};
	pid_t pid;

	if (!parse_options(argc, argv, &opt) || !tree_is_visible()) {
		fprintf(stderr,
			"usage: measure [-o FILE] [-t SECONDS] [-i MS] -- COMMAND "
			"(needs /proc/PID/task/TID/children)\n");
		return EXIT_BROKEN;
	}
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	block_signals(&opt.signals);
	pid = start_command(&opt);
	if (pid < 0) {
		perror("measure: fork");
		return EXIT_BROKEN;
	}
	watch_main(&opt, pid, &rec);
	watch_leftovers(&opt, &rec);
	return write_record(&opt, &rec);
}
