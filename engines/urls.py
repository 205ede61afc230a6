"""Addresses below /<tenant>/."""

from django.urls import path

from engines.views import actions, file_content, files, instance, instances, launch, logs, sharing, volumes

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
    path("instances/<slug:slug>/share/", sharing.share, name="instance_share"),
    path("instances/<slug:slug>/share/extend/", sharing.extend, name="instance_share_extend"),
    path("instances/<slug:slug>/share/end/", sharing.end, name="instance_share_end"),
    path("instances/<slug:slug>/hand-over/", sharing.hand_over, name="instance_hand_over"),
    path("instances/<slug:slug>/log/", logs.follow, name="instance_log"),
    path("instances/<slug:slug>/log.txt", logs.download, name="instance_log_file"),
    path("data/", volumes.index, name="volumes"),
    path("data/<slug:slug>/", files.show, name="volume"),
    path("data/<slug:slug>/usage/", files.usage, name="volume_usage"),
    path("data/<slug:slug>/folder/", files.make_folder, name="volume_folder"),
    path("data/<slug:slug>/rename/", files.rename, name="volume_rename"),
    path("data/<slug:slug>/delete/", files.delete, name="volume_delete"),
    path("data/<slug:slug>/file/", file_content.file, name="volume_file"),
    path("data/<slug:slug>/thumbnail/", file_content.thumbnail, name="volume_thumbnail"),
    path("data/<slug:slug>/archive/", file_content.archive, name="volume_archive"),
    path("data/<slug:slug>/upload/", file_content.upload, name="volume_upload"),
    path("data/<slug:slug>/trash/", volumes.trash, name="volume_trash"),
    path("data/<slug:slug>/restore/", volumes.restore, name="volume_restore"),
]
