// SPDX-License-Identifier: GPL-3.0-or-later
// Flamenco 3 job type: each clip of the saved file is recovered by one task. Copy this file into the Manager's `scripts` folder.
// The workers need the extension with its engine, and a cache folder that artists reach too: results appear in their panels by address.

const JOB_TYPE = {
    label: "Unflatten clips",
    description: "Recover camera, depth, mattes and slow motion of the clips in this file",
    settings: [
        {
            key: "clips", type: "string", required: true, visible: "submission",
            eval: "'|'.join(clip.name for clip in bpy.data.movieclips)", evalInfo: { showLinkButton: true, description: "All clips of this file" },
            description: "Names of clips, with | between them",
        },
        { key: "want", type: "string", default: "camera,depth", description: "camera, depth, cloud, mattes, slowmo, separated by commas" },
        { key: "store", type: "string", subtype: "dir_path", required: true, description: "Cache folder that workers and artists share" },
        { key: "blendfile", type: "string", required: true, visible: "web", description: "The file that holds the clips with their settings" },
    ],
};

function compileJob(job) {
    const settings = job.settings;
    for (const clip of settings.clips.split("|").filter((name) => name)) {
        const task = author.Task(`recover ${clip}`, "blender");
        task.addCommand(author.Command("blender-render", {
            exe: "{blender}",
            exeArgs: "{blenderArgs}",
            argsBefore: ["--background"],
            blendfile: settings.blendfile,
            args: ["--command", "unflatten", clip, "--want", settings.want, "--store", settings.store],
        }));
        job.addTask(task);
    }
}
