/* SPDX-License-Identifier: MIT */
/* environment.c - what a program to come needs in its environment to run on Quire too.
 *
 * A program may start another one with an environment of its own making; the bound would
 * end there.  So both variables are put back where they are missing.  Whoever comes here
 * may be a vfork's child: nothing is allocated. */
#include "ports/linux/environment.h"

#include "ports/linux/settings.h"
#include "ports/linux/text.h"

#include <dlfcn.h>
#include <string.h>

#define PRELOAD	 "LD_PRELOAD="
#define SETTINGS QUIRE_SETTINGS_VARIABLE "="

static char settings_word[sizeof(SETTINGS) + QUIRE_SETTINGS_BYTES];
static char library[QUIRE_PRELOAD_BYTES / 2];

static bool put(char *to, size_t room, const char *head, const char *tail)
{
	struct qr_text text = {.at = to, .room = room};

	qr_text_add(&text, head);
	qr_text_add(&text, tail);
	(void)qr_text_end(&text);
	return !text.overflow;
}

bool qr_environment_note(const char *settings)
{
	Dl_info info;

	if (dladdr(library, &info) == 0 || info.dli_fname == NULL)
		return false;
	return put(library, sizeof(library), info.dli_fname, "") &&
	       put(settings_word, sizeof(settings_word), SETTINGS, settings);
}

static bool starts_with(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

static const char *find_word(char *const *envp, const char *head)
{
	for (; *envp != NULL; envp++)
		if (starts_with(*envp, head))
			return *envp;
	return NULL;
}

static bool has_library(const char *preload)
{
	return preload != NULL && strstr(preload, library) != NULL;
}

static size_t count(char *const *envp)
{
	size_t nr = 0;

	while (envp[nr] != NULL)
		nr++;
	return nr;
}

/* "LD_PRELOAD=ours:theirs". */
static bool make_preload(struct qr_environment *room, const char *theirs)
{
	struct qr_text text = {.at = room->preload, .room = sizeof(room->preload)};

	qr_text_add(&text, PRELOAD);
	qr_text_add(&text, library);
	if (theirs != NULL && theirs[sizeof(PRELOAD) - 1] != '\0') {
		qr_text_char(&text, ':');
		qr_text_add(&text, theirs + sizeof(PRELOAD) - 1);
	}
	(void)qr_text_end(&text);
	return !text.overflow;
}

static void copy_others(struct qr_environment *room, char *const *envp)
{
	size_t nr = 0;

	for (; *envp != NULL; envp++)
		if (!starts_with(*envp, PRELOAD) && !starts_with(*envp, SETTINGS))
			room->words[nr++] = *envp;
	room->words[nr++] = room->preload;
	room->words[nr++] = settings_word;
	room->words[nr] = NULL;
}

char *const *qr_environment_complete(char *const *envp, struct qr_environment *room)
{
	static char *const none[] = {NULL};
	const char *preload, *settings;

	if (settings_word[0] == '\0')
		return envp;
	if (envp == NULL)
		envp = none;
	preload = find_word(envp, PRELOAD);
	settings = find_word(envp, SETTINGS);
	if (has_library(preload) && settings != NULL &&
	    strcmp(settings, settings_word) == 0)
		return envp;
	if (count(envp) + 3 > QUIRE_WORDS_MAX)
		return envp;
	if (has_library(preload))
		(void)put(room->preload, sizeof(room->preload), preload, "");
	else if (!make_preload(room, preload))
		return envp;
	copy_others(room, envp);
	return room->words;
}
