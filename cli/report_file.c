/* SPDX-License-Identifier: MIT */
/* report_file.c - the file of `--report`, which appears whole or not at all. */
#include "cli/report_file.h"

#include "cli/report_json.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where path leads: a link is followed, so that it stays one. */
static int resolve(const char *path, char wanted[PATH_MAX])
{
	struct stat st;

	if (path[0] == '\0')
		return ENOENT;
	if (stat(path, &st) == 0) {
		if (S_ISDIR(st.st_mode))
			return EISDIR;
		/* A rename would put a plain file in the place of a device. */
		if (!S_ISREG(st.st_mode))
			return EINVAL;
		if (access(path, W_OK) != 0)
			return errno;
		return realpath(path, wanted) ? 0 : errno;
	}
	if (errno != ENOENT)
		return errno;
	if (strlen(path) >= PATH_MAX || path[strlen(path) - 1] == '/')
		return ENAMETOOLONG;
	memcpy(wanted, path, strlen(path) + 1);
	return 0;
}

static int temporary_open(struct qr_report_file *file)
{
	const char *slash = strrchr(file->wanted, '/');
	int folder = slash ? (int)(slash - file->wanted) + 1 : 0;
	int used = snprintf(file->temporary, sizeof(file->temporary), "%.*s.%s-XXXXXX",
			    folder, file->wanted, file->wanted + folder);
	mode_t mask;
	int fd;

	if (used >= (int)sizeof(file->temporary))
		return -ENAMETOOLONG;
	fd = mkostemp(file->temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	mask = umask(0);
	(void)umask(mask);
	(void)fchmod(fd, 0666 & ~mask);
	return fd;
}

static void head_write(FILE *to)
{
	const char *comma = "";

	(void)fprintf(to, "{\n\"quire_report\": %d,\n\"sample_columns\": [",
		      QR_REPORT_VERSION);
	for (const struct qr_column *c = qr_sample_columns; c->name; c++) {
		(void)fprintf(to, "%s\"%s\"", comma, c->name);
		comma = ", ";
	}
	(void)fprintf(to, "],\n\"samples\": [");
}

int qr_report_file_open(struct qr_report_file *file, const char *path)
{
	int error, fd;

	*file = (struct qr_report_file){0};
	error = resolve(path, file->wanted);
	if (error)
		return error;
	fd = temporary_open(file);
	if (fd < 0)
		return -fd;
	file->stream = fdopen(fd, "w");
	if (!file->stream) {
		(void)close(fd);
		(void)unlink(file->temporary);
		return ENOMEM;
	}
	head_write(file->stream);
	if (fflush(file->stream) != 0) {
		error = errno;
		qr_report_file_abandon(file);
		return error;
	}
	return 0;
}

void qr_report_file_sample(struct qr_report_file *file, const struct qr_sample *sample)
{
	const char *comma = "";

	(void)fprintf(file->stream, "%s\n[", file->nr_samples++ ? "," : "");
	for (const struct qr_column *c = qr_sample_columns; c->name; c++) {
		uint64_t value;

		memcpy(&value, (const char *)sample + c->offset, sizeof(value));
		(void)fprintf(file->stream, "%s%" PRIu64, comma, value);
		comma = ",";
	}
	(void)fputc(']', file->stream);
}

static int tail_write(FILE *to, const struct qr_report *report)
{
	json_t *json = qr_report_to_json(report);
	int failed;

	if (!json)
		return ENOMEM;
	(void)fprintf(to, "\n],\n");
	failed = json_dumpf(json, to, JSON_EMBED | JSON_INDENT(1));
	json_decref(json);
	(void)fprintf(to, "\n}\n");
	if (failed || ferror(to))
		return EIO;
	return fflush(to) == 0 && fsync(fileno(to)) == 0 ? 0 : errno;
}

int qr_report_file_commit(struct qr_report_file *file, const struct qr_report *report)
{
	int error = tail_write(file->stream, report);

	if (fclose(file->stream) != 0 && !error)
		error = errno;
	file->stream = NULL;
	if (!error && rename(file->temporary, file->wanted) != 0)
		error = errno;
	if (error)
		(void)unlink(file->temporary);
	return error;
}

void qr_report_file_abandon(struct qr_report_file *file)
{
	(void)fclose(file->stream);
	file->stream = NULL;
	(void)unlink(file->temporary);
}
