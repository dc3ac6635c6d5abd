/* Runs a harness over files, and over the files of directories. Status 1 when one cannot be read, or there is none. */
#include <ftw.h>

#include "fuzz.h"

enum { OPEN_DIRECTORIES = 4 };

static unsigned replayed;

static uint8_t *read_all(FILE *file, size_t size)
{
    uint8_t *data = malloc(size ? size : 1);
    if (data && fread(data, 1, size, file) != size) {
        free(data);
        data = NULL;
    }
    return data;
}

static int replay(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)place;
    if (type == FTW_D)
        return 0;
    FILE *file = type == FTW_F ? fopen(path, "rb") : NULL;
    uint8_t *data = file ? read_all(file, (size_t)status->st_size) : NULL;
    if (file)
        fclose(file);
    if (!data) {
        fprintf(stderr, "%s: cannot be read\n", path);
        return -1;
    }
    fprintf(stderr, "%s\n", path);
    LLVMFuzzerTestOneInput(data, (size_t)status->st_size);
    free(data);
    replayed++;
    return 0;
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (nftw(argv[i], replay, OPEN_DIRECTORIES, 0) != 0)
            return EXIT_FAILURE;
    }
    printf("%u inputs\n", replayed);
    return replayed ? EXIT_SUCCESS : EXIT_FAILURE;
}
