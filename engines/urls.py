"""Addresses below /<tenant>/."""

from django.urls import path

from engines.views import actions, instance, instances, launch, logs, volumes

urlpatterns = [
    path("", instances.index, name="instances"),
    path("launch/", launch.launch, name="launch"),
    path("instances/<slug:slug>/", instance.show, name="instance"),
    path("instances/<slug:slug>/pause/", actions.pause, name="instance_pause"),
    path("instances/<slug:slug>/resume/", actions.resume, name="instance_resume"),
    path("instances/<slug:slug>/restart/", actions.restart, name="instance_restart"),
    path("instances/<slug:slug>/cancel/", actions.cancel, name="instance_cancel"),
    path("instances/<slug:slug>/delete/", actions.delete, name="instance_delete"),
    path("instances/<slug:slug>/rename/", instance.rename, name="instance_rename"),
    path("instances/<slug:slug>/gpu-class/", instance.change_gpu_class, name="instance_gpu_class"),
    path("instances/<slug:slug>/log/", logs.follow, name="instance_log"),
    path("instances/<slug:slug>/log.txt", logs.download, name="instance_log_file"),
    path("data/", volumes.index, name="volumes"),
    path("data/<slug:slug>/trash/", volumes.trash, name="volume_trash"),
    path("data/<slug:slug>/restore/", volumes.restore, name="volume_restore"),
]
