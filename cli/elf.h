/* SPDX-License-Identifier: MIT */
/* elf.h - the few facts of an ELF file that decide whether a library can be preloaded. */
#ifndef QUIRE_CLI_ELF_H
#define QUIRE_CLI_ELF_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct qr_elf {
	unsigned char class, data; /* e_ident[EI_CLASS], e_ident[EI_DATA] */
	uint16_t machine;
	char loader[PATH_MAX]; /* of PT_INTERP; empty: statically linked */
};

enum qr_elf_status {
	QR_ELF_GOOD,
	QR_ELF_NOT,	/* no ELF file */
	QR_ELF_FOREIGN, /* of another class, byte order or machine: nothing else is read */
	QR_ELF_BROKEN,	/* the headers make no sense */
};

/* Reads fd; own describes the machine that it must be for, NULL: any of this class. */
enum qr_elf_status qr_elf_read(int fd, const struct qr_elf *own, struct qr_elf *out);

#endif
