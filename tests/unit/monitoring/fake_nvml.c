/* A driver's libnvidia-ml.so.1 that does what a file says: see gpus.py for its lines.
 *
 * Of NVML it has what AutoVoice asks for, with the signatures of NVIDIA's nvml.h. The
 * file, named by FAKE_NVML, is read again whenever it has been replaced.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef NVML_API_VERSION /* tests compile it against the real nvml.h where that is at hand */
typedef int nvmlReturn_t;
typedef struct nvmlDevice_st *nvmlDevice_t;
typedef int nvmlTemperatureSensors_t;
typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned long long total, free, used; } nvmlMemory_t;
typedef struct {
    unsigned int pid;
    unsigned long long usedGpuMemory;
    unsigned int gpuInstanceId, computeInstanceId;
} nvmlProcessInfo_t;
enum {
    NVML_SUCCESS = 0,
    NVML_ERROR_UNINITIALIZED = 1,
    NVML_ERROR_INVALID_ARGUMENT = 2,
    NVML_ERROR_NOT_SUPPORTED = 3,
    NVML_ERROR_NOT_FOUND = 6,
    NVML_ERROR_INSUFFICIENT_SIZE = 7
};
#endif

enum { DEVICES = 8, SLICES = 7, PROCESSES = 8, RULES = 32 };

struct nvmlDevice_st {
    char number[8];
    char uuid[80], name[64];
    int there, mig, utilization, temperature, processes;
    unsigned long long total, used, energy;
    nvmlProcessInfo_t process[PROCESSES];
};

static struct nvmlDevice_st devices[DEVICES][1 + SLICES]; /* a whole device, then its slices */
static struct { char what[8], function[64], number[8]; int code; } rules[RULES];
static int rule_count;
static char driver[80];
static int load, load_at_init; /* how often the driver has been loaded */
static int references;
static pid_t owner;
static struct stat seen;

static struct nvmlDevice_st *find(const char *number) {
    int whole = atoi(number);
    const char *colon = strchr(number, ':');
    struct nvmlDevice_st *found = &devices[whole % DEVICES][colon ? 1 + atoi(colon + 1) % SLICES : 0];
    snprintf(found->number, sizeof found->number, "%s", number);
    return found;
}

static void obey(const char *line) {
    char number[8], key[16], rest[200] = "";
    if (sscanf(line, "driver %79s %d", driver, &load) == 2)
        return;
    if (rule_count < RULES && (!strncmp(line, "fail ", 5) || !strncmp(line, "hang ", 5))) {
        rules[rule_count].code = 0;
        sscanf(line, "%7s %63s %7s %d", rules[rule_count].what, rules[rule_count].function,
               rules[rule_count].number, &rules[rule_count].code);
        rule_count++;
        return;
    }
    if (sscanf(line, "%7s %15s %199[^\n]", number, key, rest) < 2)
        return;
    struct nvmlDevice_st *device = find(number);
    device->there = 1;
    if (!strcmp(key, "uuid")) snprintf(device->uuid, sizeof device->uuid, "%.79s", rest);
    if (!strcmp(key, "name")) snprintf(device->name, sizeof device->name, "%.63s", rest);
    if (!strcmp(key, "mig")) device->mig = atoi(rest);
    if (!strcmp(key, "utilization")) device->utilization = atoi(rest);
    if (!strcmp(key, "temperature")) device->temperature = atoi(rest);
    if (!strcmp(key, "energy")) device->energy = strtoull(rest, NULL, 10);
    if (!strcmp(key, "memory")) sscanf(rest, "%llu %llu", &device->total, &device->used);
    if (!strcmp(key, "process") && device->processes < PROCESSES) {
        nvmlProcessInfo_t *process = &device->process[device->processes++];
        long long used;
        sscanf(rest, "%u %lld", &process->pid, &used);
        process->usedGpuMemory = (unsigned long long)used; /* -1: not available */
    }
}

static void look(void) {
    const char *path = getenv("FAKE_NVML");
    struct stat now;
    char line[300];
    if (!path || stat(path, &now)) return;
    if (now.st_ino == seen.st_ino && now.st_mtim.tv_nsec == seen.st_mtim.tv_nsec &&
        now.st_mtim.tv_sec == seen.st_mtim.tv_sec)
        return;
    FILE *file = fopen(path, "r");
    if (!file) return;
    seen = now;
    memset(devices, 0, sizeof devices);
    rule_count = 0;
    while (fgets(line, sizeof line, file)) obey(line);
    fclose(file);
}

/* What a rule says about this call; -1 if it may go on. Hangs until the rule is gone. */
static int ruled(const char *function, const char *number) {
    for (;;) {
        int hangs = 0;
        look();
        for (int i = 0; i < rule_count; i++) {
            if (strcmp(rules[i].function, "*") && strcmp(rules[i].function, function)) continue;
            if (strcmp(rules[i].number, "*") && strcmp(rules[i].number, number)) continue;
            if (!strcmp(rules[i].what, "fail")) return rules[i].code;
            hangs = 1;
        }
        if (!hangs) return -1;
        usleep(1000);
    }
}

#define ENTER(number)                                                                  \
    do {                                                                               \
        int code = ruled(__func__, number);                                            \
        if (code >= 0) return code;                                                    \
        if (!references || load != load_at_init || owner != getpid())                  \
            return NVML_ERROR_UNINITIALIZED;                                           \
    } while (0)

nvmlReturn_t nvmlInitWithFlags(unsigned int flags) {
    int code = ruled(__func__, "*");
    (void)flags;
    if (code >= 0) return code;
    if (!references || owner != getpid()) {
        load_at_init = load;
        owner = getpid();
        references = 0;
    }
    references++;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlShutdown(void) {
    if (!references) return NVML_ERROR_UNINITIALIZED;
    references--;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlSystemGetDriverVersion(char *version, unsigned int length) {
    ENTER("*");
    snprintf(version, length, "%s", driver);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) {
    ENTER("*");
    for (*count = 0; *count < DEVICES && devices[*count][0].there;) ++*count;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    char number[16];
    snprintf(number, sizeof number, "%u", index);
    ENTER(number);
    if (index >= DEVICES || !devices[index][0].there) return NVML_ERROR_INVALID_ARGUMENT;
    *device = &devices[index][0];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigMode(nvmlDevice_t device, unsigned int *now, unsigned int *pending) {
    ENTER(device->number);
    if (!device->mig) return NVML_ERROR_NOT_SUPPORTED;
    *now = *pending = device->mig > 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMaxMigDeviceCount(nvmlDevice_t device, unsigned int *count) {
    ENTER(device->number);
    *count = device->mig > 0 ? SLICES : 0;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMigDeviceHandleByIndex(nvmlDevice_t device, unsigned int index,
                                                 nvmlDevice_t *part) {
    ENTER(device->number);
    if (index >= SLICES || !device[1 + index].there) return NVML_ERROR_NOT_FOUND;
    *part = &device[1 + index];
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length) {
    ENTER(device->number);
    snprintf(uuid, length, "%s", device->uuid);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) {
    ENTER(device->number);
    snprintf(name, length, "%s", device->name);
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *utilization) {
    ENTER(device->number);
    if (device->mig > 0 || strchr(device->number, ':')) return NVML_ERROR_NOT_SUPPORTED;
    utilization->gpu = device->utilization;
    utilization->memory = 99; /* of the memory's bus: nobody should show it */
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetMemoryInfo(nvmlDevice_t device, nvmlMemory_t *memory) {
    ENTER(device->number);
    memory->total = device->total;
    memory->used = device->used;
    memory->free = device->total - device->used;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, nvmlTemperatureSensors_t sensor,
                                      unsigned int *celsius) {
    ENTER(device->number);
    if (sensor != 0 || strchr(device->number, ':')) return NVML_ERROR_INVALID_ARGUMENT;
    *celsius = device->temperature;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device,
                                                 unsigned long long *millijoules) {
    ENTER(device->number);
    if (strchr(device->number, ':')) return NVML_ERROR_INVALID_ARGUMENT;
    *millijoules = device->energy;
    return NVML_SUCCESS;
}

nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count,
                                                     nvmlProcessInfo_t *processes) {
    ENTER(device->number);
    unsigned int room = *count;
    *count = device->processes;
    if (!*count) return NVML_SUCCESS;
    if (room < *count) return NVML_ERROR_INSUFFICIENT_SIZE;
    memcpy(processes, device->process, *count * sizeof *processes);
    return NVML_SUCCESS;
}
