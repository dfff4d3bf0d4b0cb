/* SPDX-License-Identifier: MIT */
/* elf.c - the few facts of an ELF file that decide whether a library can be preloaded.
 *
 * The file is anybody's: every offset and count is checked by reading at it, with pread,
 * and never by trusting it. */
#include "cli/elf.h"

#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static bool read_at(int fd, uint64_t at, void *to, size_t bytes)
{
	return at <= INT64_MAX && pread(fd, to, bytes, (off_t)at) == (ssize_t)bytes;
}

static bool loader_read(int fd, const ElfW(Phdr) * phdr, char *loader)
{
	if (phdr->p_filesz == 0 || phdr->p_filesz > PATH_MAX ||
	    !read_at(fd, phdr->p_offset, loader, phdr->p_filesz))
		return false;
	return loader[0] != '\0' && loader[phdr->p_filesz - 1] == '\0';
}

static enum qr_elf_status segments_read(int fd, const ElfW(Ehdr) * ehdr,
					struct qr_elf *out)
{
	if (ehdr->e_phnum == 0 || ehdr->e_phentsize != sizeof(ElfW(Phdr)))
		return QR_ELF_BROKEN;
	for (uint64_t i = 0; i < ehdr->e_phnum; i++) {
		ElfW(Phdr) phdr;

		if (!read_at(fd, ehdr->e_phoff + i * sizeof(phdr), &phdr, sizeof(phdr)))
			return QR_ELF_BROKEN;
		if (phdr.p_type == PT_INTERP)
			return loader_read(fd, &phdr, out->loader) ? QR_ELF_GOOD
								   : QR_ELF_BROKEN;
	}
	return QR_ELF_GOOD;
}

enum qr_elf_status qr_elf_read(int fd, const struct qr_elf *own, struct qr_elf *out)
{
	ElfW(Ehdr) ehdr;

	if (!read_at(fd, 0, ehdr.e_ident, SELFMAG) ||
	    memcmp(ehdr.e_ident, ELFMAG, SELFMAG) != 0)
		return QR_ELF_NOT;
	/* e_machine stands at the same place in both classes. */
	if (!read_at(fd, 0, &ehdr, offsetof(ElfW(Ehdr), e_version)))
		return QR_ELF_BROKEN;
	*out = (struct qr_elf){.class = ehdr.e_ident[EI_CLASS],
			       .data = ehdr.e_ident[EI_DATA],
			       .machine = ehdr.e_machine};
	if (own && (own->class != out->class || own->data != out->data ||
		    own->machine != out->machine))
		return QR_ELF_FOREIGN;
	if (!read_at(fd, 0, &ehdr, sizeof(ehdr)) ||
	    (ehdr.e_type != ET_EXEC && ehdr.e_type != ET_DYN))
		return QR_ELF_BROKEN;
	return segments_read(fd, &ehdr, out);
}
