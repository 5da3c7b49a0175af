//! What a WfFormat document says, read with nothing but a JSON parser.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// Tasks, links, files and times, by the ids of the document.
#[derive(Debug, Default)]
pub(crate) struct Recording {
    pub(crate) version: String,
    pub(crate) tasks: BTreeMap<String, Task>,
    /// Of every file that is named, in bytes.
    pub(crate) sizes: BTreeMap<String, u64>,
    /// Of every task that was executed.
    pub(crate) seconds: BTreeMap<String, f64>,
}

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Task {
    pub(crate) parents: BTreeSet<String>,
    pub(crate) children: BTreeSet<String>,
    pub(crate) inputs: BTreeSet<String>,
    pub(crate) outputs: BTreeSet<String>,
}

/// What all tasks of a document took together, none less than a millisecond.
pub(crate) fn seconds(text: &str) -> f64 {
    Recording::of(text).seconds.values().map(|seconds| seconds.max(0.001)).sum()
}

impl Recording {
    pub(crate) fn of(text: &str) -> Self {
        let document: Value = serde_json::from_str(text).expect("it is JSON");
        let mut recording = Self { version: word(&document["schemaVersion"]), ..Self::default() };
        let body = &document["workflow"];
        if body["specification"].is_object() {
            recording.read_split(body);
        } else {
            recording.read_joined(body);
        }
        recording
    }

    /// From 1.5 on.
    fn read_split(&mut self, body: &Value) {
        for task in list(&body["specification"]["tasks"]) {
            let [parents, children, inputs, outputs] =
                ["parents", "children", "inputFiles", "outputFiles"]
                    .map(|field| list(&task[field]).iter().map(word).collect());
            self.add(word(&task["id"]), Task { parents, children, inputs, outputs });
        }
        for file in list(&body["specification"]["files"]) {
            let size = file["sizeInBytes"].as_u64().expect("a whole number");
            let before = self.sizes.insert(word(&file["id"]), size);
            assert_eq!(before, None, "{file} is listed twice");
        }
        for task in list(&body["execution"]["tasks"]) {
            let seconds = task["runtimeInSeconds"].as_f64().expect("a number");
            let before = self.seconds.insert(word(&task["id"]), seconds);
            assert_eq!(before, None, "{task} is listed twice");
        }
    }

    /// Up to 1.4: everything about a task is in it, and a link may stand at one end only.
    fn read_joined(&mut self, body: &Value) {
        for item in list(&body["tasks"]) {
            let (name, number) = (word(&item["name"]), word(&item["id"]));
            let id = if name.contains(&number) { name } else { format!("{name}_{number}") };
            let [parents, children] =
                ["parents", "children"].map(|field| list(&item[field]).iter().map(word).collect());
            let mut task = Task { parents, children, ..Task::default() };
            for file in list(&item["files"]) {
                let path = word(&file["path"]) + &word(&file["name"]);
                let size = ["size", "sizeInBytes"].iter().find_map(|field| file[field].as_u64());
                self.sizes.insert(path.clone(), size.expect("a whole number"));
                let is_read = file["link"] == "input";
                if is_read { &mut task.inputs } else { &mut task.outputs }.insert(path);
            }
            let seconds = ["runtime", "runtimeInSeconds"].iter().find_map(|f| item[f].as_f64());
            self.seconds.insert(id.clone(), seconds.expect("a number"));
            self.add(id, task);
        }
        for (parent, child) in self.links() {
            self.tasks.get_mut(&parent).expect("a task").children.insert(child.clone());
            self.tasks.get_mut(&child).expect("a task").parents.insert(parent);
        }
    }

    fn add(&mut self, id: String, task: Task) {
        assert!(self.tasks.insert(id, task).is_none(), "a task is listed twice");
    }

    fn links(&self) -> Vec<(String, String)> {
        let links = self.tasks.iter().flat_map(|(id, task)| {
            let up = task.parents.iter().map(|parent| (parent.clone(), id.clone()));
            up.chain(task.children.iter().map(|child| (id.clone(), child.clone())))
        });
        links.collect()
    }

    /// Sizes of all files, multiplied and rounded to whole bytes.
    pub(crate) fn scaled_sizes(&self, scale: f64) -> BTreeMap<String, u64> {
        let scaled = |&size: &u64| (size as f64 * scale).round() as u64;
        self.sizes.iter().map(|(id, size)| (id.clone(), scaled(size))).collect()
    }

    /// The files that a replay leaves: what tasks read and what they write.
    pub(crate) fn files_of_tasks(&self) -> BTreeSet<&str> {
        self.tasks
            .values()
            .flat_map(|task| task.inputs.iter().chain(&task.outputs))
            .map(String::as_str)
            .collect()
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
