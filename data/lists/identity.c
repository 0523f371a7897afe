/*
 * identity.c - see identity.h.
 */
#include "data/lists/identity.h"

#include <stdio.h>
#include <string.h>

/* Length of the digits at `text`. */
static size_t digits(const char *text)
{
    return strspn(text, "0123456789");
}

/* Length of "id" and digits at `text`, or 0. */
static size_t celebrity(const char *text)
{
    if (strncmp(text, "id", 2) != 0)
        return 0;
    const size_t n = digits(text + 2);
    return n > 0 ? n + 2 : 0;
}

static void put(char out[DATA_IDENTITY_SIZE], const char *text, size_t length)
{
    snprintf(out, DATA_IDENTITY_SIZE, "%.*s", (int)(length < 1024 ? length : 1024), text);
}

/* NNN_NNN, and NNN for a real video. */
static bool read_ffpp(const char *name, DataIdentity *identity)
{
    if (digits(name) != 3)
        return false;
    const bool pair = name[3] == '_' && digits(name + 4) == 3 && name[7] == '\0';
    if (!pair && name[3] != '\0')
        return false;
    put(identity->origin, name, 3);
    put(identity->target, name, 3);
    put(identity->source, name + 4, pair ? 3 : 0);
    identity->ffpp = true;
    identity->ffpp_pair = pair;
    return true;
}

/* idA_idB_NNNN, and idA_NNNN for a real video. */
static bool read_celeb(const char *name, DataIdentity *identity)
{
    const size_t first = celebrity(name);
    if (first == 0 || name[first] != '_')
        return false;
    const char *rest = name + first + 1;
    const size_t second = celebrity(rest);
    const char *clip = second > 0 && rest[second] == '_' ? rest + second + 1 : rest;
    if (digits(clip) == 0 || clip[digits(clip)] != '\0')
        return false;
    put(identity->target, name, first);
    put(identity->source, rest, clip == rest ? 0 : second);
    snprintf(identity->origin, DATA_IDENTITY_SIZE, "%.40s_%.40s", identity->target, clip);
    return true;
}

/* NN_NN__SCENE__KEY, and NN__SCENE for a real video. */
static bool read_dfd(const char *name, DataIdentity *identity)
{
    if (digits(name) != 2 || name[2] != '_')
        return false;
    const bool pair = digits(name + 3) == 2;
    const char *scene = name + (pair ? 5 : 2);
    if (strncmp(scene, "__", 2) != 0 || scene[2] == '\0')
        return false;
    const char *key = pair ? strstr(scene + 2, "__") : NULL;
    if (key == scene + 2)
        return false;
    const size_t length = key ? (size_t)(key - scene) : strlen(scene);
    put(identity->target, name, 2);
    put(identity->source, name + 3, pair ? 2 : 0);
    snprintf(identity->origin, DATA_IDENTITY_SIZE, "%.2s%.*s", name,
             (int)(length < DATA_IDENTITY_SIZE ? length : DATA_IDENTITY_SIZE), scene);
    return true;
}

void data_identity(const char *video, DataIdentity *identity)
{
    const char *slash = strrchr(video, '/');
    const char *name = slash ? slash + 1 : video;
    *identity = (DataIdentity){.source = ""};
    if (read_ffpp(name, identity) || read_celeb(name, identity) || read_dfd(name, identity))
        return;
    put(identity->origin, name, strlen(name));
    put(identity->target, name, strlen(name));
}
