/* SPDX-License-Identifier: MIT */
/* profile_names.c - the modules of the process, and the functions in them.
 *
 * The dynamic linker says what is loaded where.  A function's name comes from the symbol
 * table of the module's file, or, where that was stripped, from the table that the
 * dynamic linker uses.
 */
#include "heap/profile.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct table {
	const ElfW(Sym) * symbols;
	size_t nr;
	const char *names;
	size_t names_bytes;
};

static void note_build_id(struct qr_module *module, const char *note, size_t bytes)
{
	while (bytes >= sizeof(ElfW(Nhdr))) {
		const ElfW(Nhdr) *head = (const void *)note;
		size_t name = (head->n_namesz + 3u) & ~3u,
		       value = (head->n_descsz + 3u) & ~3u;
		size_t all = sizeof(*head) + name + value;

		if (all > bytes)
			return;
		if (head->n_type == NT_GNU_BUILD_ID && head->n_descsz <= QR_BUILD_ID &&
		    head->n_namesz == sizeof("GNU") &&
		    memcmp(head + 1, "GNU", sizeof("GNU")) == 0) {
			memcpy(module->build_id, note + sizeof(*head) + name,
			       head->n_descsz);
			module->build_id_bytes = head->n_descsz;
		}
		note += all;
		bytes -= all;
	}
}

static void set_path(struct qr_module *module, const char *path)
{
	if (path[0] == '\0') {
		ssize_t length = readlink("/proc/self/exe", module->path,
					  sizeof(module->path) - 1);

		module->path[length > 0 ? length : 0] = '\0';
		return;
	}
	strncpy(module->path, path, sizeof(module->path) - 1);
}

static int add_module(struct dl_phdr_info *info, size_t size, void *modules_pointer)
{
	struct qr_modules *modules = modules_pointer;
	struct qr_module *module = &modules->module[modules->nr];

	(void)size;
	if (modules->nr == QR_NR_MODULES)
		return 1;
	module->base = info->dlpi_addr;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + part->p_vaddr;

		if (part->p_type == PT_NOTE)
			note_build_id(module, (const char *)start, part->p_memsz);
		if (part->p_type != PT_LOAD || (part->p_flags & PF_X) == 0)
			continue;
		module->start = start;
		module->end = start + part->p_memsz;
		module->file_offset = part->p_offset;
	}
	if (module->end == 0)
		return 0;
	set_path(module, info->dlpi_name);
	modules->nr++;
	return 0;
}

struct qr_modules *qr_modules_make(void)
{
	struct qr_modules *modules = mmap(NULL, sizeof(*modules), PROT_READ | PROT_WRITE,
					  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (modules == MAP_FAILED)
		return NULL;
	(void)dl_iterate_phdr(add_module, modules);
	return modules;
}

void qr_modules_free(struct qr_modules *modules)
{
	for (unsigned i = 0; i < modules->nr; i++) {
		struct qr_module *module = &modules->module[i];

		if (module->file != NULL)
			munmap((void *)(uintptr_t)module->file, module->file_bytes);
	}
	munmap(modules, sizeof(*modules));
}

struct qr_module *qr_module_at(struct qr_modules *modules, uintptr_t pc)
{
	for (unsigned i = 0; i < modules->nr; i++) {
		struct qr_module *module = &modules->module[i];

		if (pc >= module->start && pc < module->end)
			return module;
	}
	return NULL;
}

static void map_file(struct qr_module *module)
{
	int fd = open(module->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *file = MAP_FAILED;

	module->tried = true;
	if (fd < 0)
		return;
	if (fstat(fd, &st) == 0 && st.st_size > (off_t)sizeof(ElfW(Ehdr)))
		file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return;
	module->file = file;
	module->file_bytes = (size_t)st.st_size;
	if (memcmp(file, ELFMAG, SELFMAG) == 0)
		return;
	munmap(file, module->file_bytes);
	module->file = NULL;
}

static bool within(const struct qr_module *module, uint64_t offset, uint64_t bytes)
{
	return offset <= module->file_bytes && bytes <= module->file_bytes - offset;
}

/* The section, if it is in the file. */
static const ElfW(Shdr) * section(const struct qr_module *module, size_t i)
{
	const ElfW(Ehdr) *head = (const void *)module->file;
	uint64_t offset = head->e_shoff + i * sizeof(ElfW(Shdr));
	const ElfW(Shdr) * result;

	if (i >= head->e_shnum || head->e_shentsize != sizeof(*result) ||
	    !within(module, offset, sizeof(*result)))
		return NULL;
	result = (const void *)(module->file + offset);
	if (result->sh_type == SHT_NOBITS ||
	    !within(module, result->sh_offset, result->sh_size))
		return NULL;
	return result;
}

static bool find_table(const struct qr_module *module, unsigned type, struct table *table)
{
	const ElfW(Ehdr) *head = (const void *)module->file;

	for (size_t i = 0; i < head->e_shnum; i++) {
		const ElfW(Shdr) *symbols = section(module, i), *names;

		if (symbols == NULL || symbols->sh_type != type)
			continue;
		names = section(module, symbols->sh_link);
		if (names == NULL)
			continue;
		table->symbols = (const void *)(module->file + symbols->sh_offset);
		table->nr = symbols->sh_size / sizeof(ElfW(Sym));
		table->names = (const char *)module->file + names->sh_offset;
		table->names_bytes = names->sh_size;
		return table->names_bytes != 0 &&
		       table->names[table->names_bytes - 1] == '\0';
	}
	return false;
}

static const char *find_name(const struct table *table, uintptr_t at)
{
	for (size_t i = 0; i < table->nr; i++) {
		const ElfW(Sym) *symbol = &table->symbols[i];

		if ((symbol->st_info & 15) == STT_FUNC && at >= symbol->st_value &&
		    at - symbol->st_value < symbol->st_size &&
		    symbol->st_name < table->names_bytes)
			return table->names + symbol->st_name;
	}
	return NULL;
}

const char *qr_module_name(struct qr_module *module, uintptr_t pc)
{
	const char *name = NULL;
	struct table table;

	if (!module->tried)
		map_file(module);
	if (module->file == NULL)
		return NULL;
	if (find_table(module, SHT_SYMTAB, &table))
		name = find_name(&table, pc - module->base);
	if (name == NULL && find_table(module, SHT_DYNSYM, &table))
		name = find_name(&table, pc - module->base);
	return name;
}
